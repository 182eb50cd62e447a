#include "unit/h5_differences.h"

#include <hdf5.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "h5bridge/error.h"

namespace h5bridge::testing {
namespace {

/// A group, a data set or an attribute: what it is ("float64 (3, 4)"), and what is in it.
struct Item {
  std::string kind;
  std::vector<std::string> texts;  // of strings
  std::string bytes;               // of anything else
  bool operator==(const Item&) const = default;
};
using Items = std::map<std::string, Item>;

/// What an HDF5 identifier names, until it is closed.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {
    if (id < 0) throw std::runtime_error("HDF5 refuses");
  }
  ~Handle() { close_(id_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

std::string shape_of(hid_t space) {
  if (H5Sget_simple_extent_type(space) == H5S_SCALAR) return "scalar";
  std::vector<hsize_t> sizes(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  std::string result = "(";
  for (const hsize_t size : sizes) result += (result.size() > 1 ? ", " : "") + std::to_string(size);
  return result + ")";
}

std::string type_of(hid_t type) {
  const std::string size = std::to_string(8 * H5Tget_size(type));
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return (H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int") + size +
             (H5Tget_order(type) == H5T_ORDER_BE ? " be" : "");
    case H5T_FLOAT: return "float" + size + (H5Tget_order(type) == H5T_ORDER_BE ? " be" : "");
    case H5T_STRING:
      return (H5Tis_variable_str(type) > 0 ? "text" : "text of " + std::to_string(H5Tget_size(type)) + " bytes") +
             std::string(H5Tget_cset(type) == H5T_CSET_UTF8 ? ", UTF-8" : ", ASCII");
    case H5T_ENUM: return "enumeration";
    default: return "class " + std::to_string(H5Tget_class(type)) + " of " + size + " bits";
  }
}

/// `read(type, memory)` fills memory with what is there, in the type that the file has.
template <typename Read>
Item contents(hid_t type, hid_t space, Read&& read) {
  Item result{type_of(type) + " " + shape_of(space), {}, {}};
  const auto count = static_cast<std::size_t>(H5Sget_simple_extent_npoints(space));
  const std::size_t size = H5Tget_size(type);
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> texts(count, nullptr);
    if (count > 0 && read(type, texts.data()) < 0) throw std::runtime_error("HDF5 cannot read texts");
    for (const char* text : texts) result.texts.emplace_back(text ? text : "");
    if (count > 0) H5Dvlen_reclaim(type, space, H5P_DEFAULT, texts.data());
    return result;
  }
  std::string bytes(count * size, '\0');
  if (count > 0 && read(type, bytes.data()) < 0) throw std::runtime_error("HDF5 cannot read numbers");
  if (H5Tget_class(type) != H5T_STRING) {
    result.bytes = std::move(bytes);
    return result;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::string padded = bytes.substr(i * size, size);
    result.texts.push_back(padded.substr(0, std::min(padded.find('\0'), size)));
  }
  return result;
}

void add_attributes(hid_t object, const std::string& path, Items& items) {
  for (hsize_t i = 0;; ++i) {
    const ssize_t length = H5Aget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
    if (length < 0) return;
    std::string name(static_cast<std::size_t>(length), '\0');
    H5Aget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size() + 1, H5P_DEFAULT);
    const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
    const Handle type(H5Aget_type(attribute), H5Tclose);
    const Handle space(H5Aget_space(attribute), H5Sclose);
    items[path + "@" + name] =
        contents(type, space, [&](hid_t as, void* memory) { return H5Aread(attribute, as, memory); });
  }
}

void add_object(hid_t parent, const std::string& name, const std::string& path, Items& items) {
  const Handle object(H5Oopen(parent, name.c_str(), H5P_DEFAULT), H5Oclose);
  add_attributes(object, path, items);
  if (H5Iget_type(object) == H5I_DATASET) {
    const Handle type(H5Dget_type(object), H5Tclose);
    const Handle space(H5Dget_space(object), H5Sclose);
    items[path] = contents(type, space, [&](hid_t as, void* memory) {
      return H5Dread(object, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, memory);
    });
    return;
  }
  items[path] = {"group", {}, {}};
  for (hsize_t i = 0;; ++i) {
    const ssize_t length = H5Lget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
    if (length < 0) return;
    std::string child(static_cast<std::size_t>(length), '\0');
    H5Lget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, i, child.data(), child.size() + 1, H5P_DEFAULT);
    add_object(object, child, (path == "/" ? "" : path + "/") + child, items);
  }
}

Items items_of(const std::string& path) {
  // Where an object has no more attributes or links HDF5 would report an error.
  H5E_auto2_t report = nullptr;
  void* data = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &report, &data);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  Items result;
  {
    const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
    add_object(file, "/", "/", result);
  }
  H5Eset_auto2(H5E_DEFAULT, report, data);
  return result;
}

std::string quoted(const std::string& text) {
  return "\"" + (text.size() > 100 ? text.substr(0, 100) + "..." : text) + "\"";
}

std::string shortened(const Json& value) {
  const std::string text = value.dump();
  return text.size() > 100 ? text.substr(0, 100) + "..." : text;
}

bool is_json(const std::string& text) { return text.starts_with('{') || text.starts_with('['); }

void add(std::vector<std::string>& all, const std::vector<std::string>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

std::vector<std::string> text_differences(const std::string& found, const std::string& expected,
                                          const std::string& place) {
  if (found == expected) return {};
  if (is_json(found) && is_json(expected)) return json_differences(Json::parse(found), Json::parse(expected), place);
  return {place + ": " + quoted(found) + ", expected " + quoted(expected)};
}

std::vector<std::string> item_differences(const Item& found, const Item& expected, const std::string& place) {
  if (found.kind != expected.kind) return {place + ": " + found.kind + ", expected " + expected.kind};
  std::vector<std::string> result;
  for (std::size_t i = 0; i < expected.texts.size(); ++i)
    add(result, text_differences(found.texts[i], expected.texts[i],
                                 place + (expected.texts.size() > 1 ? "[" + std::to_string(i) + "]" : "")));
  if (found.bytes != expected.bytes) {
    const auto [at, other] = std::mismatch(found.bytes.begin(), found.bytes.end(), expected.bytes.begin());
    result.push_back(place + ": " + found.kind + ", byte " + std::to_string(at - found.bytes.begin()) +
                     " and maybe more differ");
  }
  return result;
}

}  // namespace

std::vector<std::string> json_differences(const Json& found, const Json& expected, const std::string& place) {
  if (found == expected) return {};
  std::vector<std::string> result;
  if (found.is_object() && expected.is_object()) {
    for (const auto& [key, value] : expected.as_object())
      if (const Json* other = found.find(key))
        add(result, json_differences(*other, value, place + "/" + key));
      else
        result.push_back(place + "/" + key + ": is missing, expected " + shortened(value));
    for (const auto& [key, value] : found.as_object())
      if (!expected.find(key))
        result.push_back(place + "/" + key + ": " + shortened(value) + ", which is not expected");
    return result;
  }
  if (found.is_array() && expected.is_array() && found.as_array().size() == expected.as_array().size()) {
    for (std::size_t i = 0; i < expected.as_array().size(); ++i)
      add(result, json_differences(found.as_array()[i], expected.as_array()[i], place + "/" + std::to_string(i)));
    return result;
  }
  return {place + ": " + shortened(found) + ", expected " + shortened(expected)};
}

std::vector<std::string> h5_differences(const std::string& found, const std::string& expected) {
  const Items ours = items_of(found);
  const Items theirs = items_of(expected);
  std::vector<std::string> result;
  for (const auto& [path, item] : theirs)
    if (const auto other = ours.find(path); other != ours.end())
      add(result, item_differences(other->second, item, path));
    else
      result.push_back(path + ": is missing, expected a " + item.kind);
  for (const auto& [path, item] : ours)
    if (!theirs.contains(path)) result.push_back(path + ": a " + item.kind + ", which is not expected");
  return result;
}

}  // namespace h5bridge::testing
