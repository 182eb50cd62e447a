#include "files/data_writer.h"
#include "files/hdf5.h"
#include "files/hdf5_library.h"
#include "files/hdf5_region.h"

namespace h5bridge::hdf5 {
namespace {

// Data of this many bytes on is aligned as PyTorch wants it, so that it can be mapped. Smaller objects are not: for
// each of them HDF5 would search all the gaps that aligning leaves, which took 12 times as long for 3 times the layers.
constexpr hsize_t kAlignedFrom = 1024;
constexpr hsize_t kAlignment = 64;

template <typename Result>
Result check_written(Result result, const std::string& what) {
  return checked<SystemFailure>(result, what);
}

Handle new_handle(hid_t id, const std::string& what) { return checked_handle<SystemFailure>(id, what); }

std::string writing(const std::string& path) { return "writing " + printable(path) + " failed"; }

std::string child_path(const std::string& parent, const std::string& path) {
  return (parent == "/" ? "" : parent) + "/" + path;
}

Handle making_groups_on_the_way(const std::string& what) {
  Handle properties = new_handle(H5Pcreate(H5P_LINK_CREATE), what);
  check_written(H5Pset_create_intermediate_group(properties.id(), 1), what);
  return properties;
}

void write_attribute(hid_t object, const std::string& name, hid_t type, hid_t space, const void* values,
                     const std::string& path) {
  const std::string what = writing(path) + ", attribute " + printable(name);
  const Handle attribute = new_handle(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), what);
  if (values != nullptr) check_written(H5Awrite(attribute.id(), type, values), what);
}

Handle access_properties() {
  Handle access = new_handle(H5Pcreate(H5P_FILE_ACCESS), "making an HDF5 property list");
  check_written(H5Pset_alignment(access.id(), kAlignedFrom, kAlignment), "setting the alignment");
  check_written(H5Pset_fclose_degree(access.id(), H5F_CLOSE_STRONG), "setting the close degree");
  keep_little_metadata(access.id());
  return access;
}

Handle list_space(hsize_t count) {
  return new_handle(H5Screate_simple(1, &count, nullptr), "making an HDF5 data space");
}

}  // namespace

void NewObject::set_text(const std::string& attribute, const std::string& text, CharacterSet character_set) const {
  const Library library;
  const Handle type = text_type(character_set == CharacterSet::Utf8 ? H5T_CSET_UTF8 : H5T_CSET_ASCII);
  const Handle space = new_handle(H5Screate(H5S_SCALAR), "making an HDF5 data space");
  const char* const value = text.c_str();
  write_attribute(handle_.id(), attribute, type.id(), space.id(), &value, path_);
}

void NewObject::set_texts(const std::string& attribute, const std::vector<std::string>& texts) const {
  const Library library;
  const Handle type = text_type(H5T_CSET_ASCII);
  std::vector<const char*> values;
  for (const std::string& text : texts) values.push_back(text.c_str());
  write_attribute(handle_.id(), attribute, type.id(), list_space(values.size()).id(), values.data(), path_);
}

void NewObject::set_padded_texts(const std::string& attribute, const std::vector<std::string>& texts) const {
  const Library library;
  std::size_t width = 1;
  for (const std::string& text : texts) width = std::max(width, text.size());
  const Handle type = new_handle(H5Tcopy(H5T_C_S1), "making an HDF5 type");
  H5Tset_size(type.id(), width);
  H5Tset_strpad(type.id(), H5T_STR_NULLPAD);
  std::string values(width * texts.size(), '\0');
  for (std::size_t i = 0; i < texts.size(); ++i) values.replace(i * width, texts[i].size(), texts[i]);
  write_attribute(handle_.id(), attribute, type.id(), list_space(texts.size()).id(), values.data(), path_);
}

void NewObject::set_no_texts(const std::string& attribute) const {
  const Library library;
  write_attribute(handle_.id(), attribute, H5T_IEEE_F64LE, list_space(0).id(), nullptr, path_);
}

NewGroup NewGroup::create_group(const std::string& path) const {
  const Library library;
  std::string where = child_path(path_, path);
  const std::string what = writing(where);
  const Handle links = making_groups_on_the_way(what);
  return NewGroup(new_handle(H5Gcreate2(handle_.id(), path.c_str(), links.id(), H5P_DEFAULT, H5P_DEFAULT), what),
                  std::move(where), data_);
}

NewObject NewGroup::write(const std::string& path, const Tensor& tensor) const {
  const Library library;
  return write(path, tensor, type_of(tensor.dtype()));
}

NewObject NewGroup::write_as_numpy(const std::string& path, const Tensor& tensor) const {
  const Library library;
  return write(path, tensor, tensor.dtype() == DType::BFloat16 ? untagged_pair() : type_of(tensor.dtype()));
}

NewObject NewGroup::write(const std::string& path, const Tensor& tensor, const Handle& type) const {
  const Library library;
  std::string where = child_path(path_, path);
  const std::string what = writing(where);
  const std::vector<hsize_t> extents(tensor.shape().begin(), tensor.shape().end());
  const Handle space =
      new_handle(extents.empty() ? H5Screate(H5S_SCALAR)
                                 : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                 what);
  const Handle links = making_groups_on_the_way(what);
  const Handle properties = new_handle(H5Pcreate(H5P_DATASET_CREATE), what);
  check_written(H5Pset_layout(properties.id(), H5D_CONTIGUOUS), what);
  check_written(H5Pset_alloc_time(properties.id(), H5D_ALLOC_TIME_EARLY), what);
  check_written(H5Pset_fill_time(properties.id(), H5D_FILL_TIME_NEVER), what);
  check_written(H5Pset_obj_track_times(properties.id(), false), what);
  Handle data_set = new_handle(
      H5Dcreate2(handle_.id(), path.c_str(), type.id(), space.id(), links.id(), properties.id(), H5P_DEFAULT), what);

  if (tensor.element_count() > 0) {
    // Its place is known from its making on, so the bytes need not pass the library.
    const haddr_t place = H5Dget_offset(data_set.id());
    if (place == HADDR_UNDEF) throw SystemFailure(what);
    data_->write(tensor, place);
  }
  return NewObject(std::move(data_set), std::move(where));
}

NewFile::NewFile(const std::string& path) {
  const Library library;
  const Handle access = access_properties();
  file_ = new_handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), path);
  data_ = std::make_shared<DataWriter>(path, 0);
}

NewFile::NewFile(const std::string& path, std::uint64_t offset) {
  const Library library;
  const Handle access = access_properties();
  file_ = create_region(path, offset, access.id());
  data_ = std::make_shared<DataWriter>(path, offset);
}

NewGroup NewFile::root() const {
  const Library library;
  return NewGroup(new_handle(H5Gopen2(file_.id(), "/", H5P_DEFAULT), writing("/")), "/", data_);
}

void NewFile::finish() {
  // Without holding the library, which reading a tensor of another file may need.
  data_->finish();
  const Library library;
  check_written(H5Fflush(file_.id(), H5F_SCOPE_GLOBAL), "writing failed");
  file_ = Handle();
}

}  // namespace h5bridge::hdf5
