// What somebody writes who converts one network's tensors by hand: read each, put it in the other order, write it.
// Nothing is checked, named or described. tools/bench measures h5bridge beside it.
//
//   h5bridge_plain to-h5 SOURCE LIST DEST.h5 [SHAPE]   SOURCE's bytes at known places become data sets
//   h5bridge_plain to-zip SOURCE.h5 LIST DEST    data sets become stored entries with their checksums
//   h5bridge_plain dlopen LIBRARY                loads it, and ends
//
// SHAPE has the groups and attributes of DEST, a line each: "group /dense", "attribute /dense weight_names kernel
// bias", or "file / model_config PATH" for an attribute that is the text of a file. LIST has a line a tensor: its place
// in SOURCE (a number, or a data set's path), its name in DEST, the axes of SOURCE's that DEST's are, and SOURCE's
// extents: "1024 /dense/kernel 1,0 10,20". All are float32.
#include <dlfcn.h>
#include <hdf5.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Item {
  std::string place;
  std::string name;
  std::vector<std::size_t> axes;
  std::vector<hsize_t> extents;
};

template <typename Number>
std::vector<Number> numbers(const std::string& text) {
  std::vector<Number> result;
  std::istringstream stream(text);
  for (std::string number; std::getline(stream, number, ',');)
    result.push_back(static_cast<Number>(std::stoull(number)));
  return result;
}

std::vector<Item> read_list(const char* path) {
  std::vector<Item> items;
  std::ifstream in(path);
  for (std::string place, name, axes, extents; in >> place >> name >> axes >> extents;)
    items.push_back({place, name, numbers<std::size_t>(axes), numbers<hsize_t>(extents)});
  return items;
}

std::vector<hsize_t> moved(const Item& item) {
  std::vector<hsize_t> result;
  for (const std::size_t axis : item.axes) result.push_back(item.extents[axis]);
  return result;
}

std::vector<float> transposed(const Item& item, const std::vector<float>& from) {
  const std::size_t rank = item.extents.size();
  std::vector<std::size_t> strides(rank, 1);
  for (std::size_t i = rank - 1; i-- > 0;) strides[i] = strides[i + 1] * item.extents[i + 1];
  const std::vector<hsize_t> extents = moved(item);
  std::vector<float> to(from.size());
  std::vector<std::size_t> index(rank);
  std::size_t at = 0;
  const std::size_t inner = strides[item.axes[rank - 1]];
  for (std::size_t i = 0; i < to.size(); i += extents[rank - 1]) {
    at = 0;
    for (std::size_t axis = 0; axis + 1 < rank; ++axis) at += index[axis] * strides[item.axes[axis]];
    for (std::size_t j = 0; j < extents[rank - 1]; ++j) to[i + j] = from[at + j * inner];
    for (std::size_t axis = rank - 1; axis-- > 0;) {
      if (++index[axis] < extents[axis]) break;
      index[axis] = 0;
    }
  }
  return to;
}

std::size_t count(const Item& item) {
  std::size_t result = 1;
  for (const hsize_t extent : item.extents) result *= extent;
  return result;
}

bool in_order(const Item& item) {
  for (std::size_t i = 0; i < item.axes.size(); ++i)
    if (item.axes[i] != i) return false;
  return true;
}

void write_attribute(hid_t file, const std::string& object, const std::string& name,
                     const std::vector<std::string>& texts, hid_t space) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  const bool is_long = texts.size() > 1000;  // an attribute has 64 KB at most
  std::size_t width = 1;
  for (const std::string& text : texts) width = std::max(width, text.size());
  H5Tset_size(type, is_long ? width : H5T_VARIABLE);
  if (!is_long) H5Tset_cset(type, H5T_CSET_UTF8);
  std::vector<const char*> values;
  std::string fixed;
  for (const std::string& text : texts) {
    values.push_back(text.c_str());
    fixed += text + std::string(width - text.size(), '\0');
  }
  const hid_t on = H5Oopen(file, object.c_str(), H5P_DEFAULT);
  const hid_t attribute = H5Acreate2(on, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, is_long ? static_cast<const void*>(fixed.data()) : values.data());
  H5Aclose(attribute);
  H5Oclose(on);
  H5Sclose(space);
  H5Tclose(type);
}

void write_shape(hid_t file, const char* path) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string what, object, name;
    words >> what >> object >> name;
    if (what == "group") {
      H5Gclose(H5Gcreate2(file, object.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    } else if (what == "file") {
      std::string source;
      words >> source;
      std::ostringstream text;
      text << std::ifstream(source, std::ios::binary).rdbuf();
      write_attribute(file, object, name, {text.str()}, H5Screate(H5S_SCALAR));
    } else {
      std::vector<std::string> texts;
      for (std::string text; words >> text;) texts.push_back(text);
      const hsize_t size = texts.size();
      write_attribute(file, object, name, texts, H5Screate_simple(1, &size, nullptr));
    }
  }
}

void to_h5(const char* source, const std::vector<Item>& items, const char* destination, const char* shape) {
  std::FILE* const in = std::fopen(source, "rb");
  const hid_t file = H5Fcreate(destination, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  if (shape) write_shape(file, shape);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  for (const Item& item : items) {
    std::vector<float> values(count(item));
    std::fseek(in, std::stol(item.place), SEEK_SET);
    if (std::fread(values.data(), sizeof(float), values.size(), in) != values.size()) std::exit(1);
    if (!in_order(item)) values = transposed(item, values);
    const std::vector<hsize_t> extents = moved(item);
    const hid_t space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
    const hid_t set = H5Dcreate2(file, item.name.c_str(), H5T_IEEE_F32LE, space, links, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(set);
    H5Sclose(space);
  }
  H5Fclose(file);
  std::fclose(in);
}

class Zip {
 public:
  explicit Zip(const char* path) : out_(path, std::ios::binary) {}
  void add(const std::string& name, const std::vector<float>& values) {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(values.data());
    const std::size_t size = values.size() * sizeof(float);
    const auto checksum = static_cast<std::uint32_t>(crc32_z(0, bytes, size));
    const auto begin = static_cast<std::uint32_t>(out_.tellp());
    const std::string common = fields(checksum, size, name);
    put<std::uint32_t>(out_, 0x04034b50);
    out_ << common << name;
    out_.write(reinterpret_cast<const char*>(bytes), static_cast<std::streamsize>(size));
    std::ostringstream entry;
    put<std::uint32_t>(entry, 0x02014b50);
    put<std::uint16_t>(entry, 20);
    entry << common << std::string(10, '\0');
    put<std::uint32_t>(entry, begin);
    entry << name;
    directory_ += entry.str();
    ++entries_;
  }
  void finish() {
    const auto begin = static_cast<std::uint32_t>(out_.tellp());
    out_ << directory_;
    put<std::uint32_t>(out_, 0x06054b50);
    put<std::uint32_t>(out_, 0);
    put<std::uint16_t>(out_, entries_);
    put<std::uint16_t>(out_, entries_);
    put<std::uint32_t>(out_, static_cast<std::uint32_t>(directory_.size()));
    put<std::uint32_t>(out_, begin);
    put<std::uint16_t>(out_, 0);
    out_.flush();
  }

 private:
  template <typename Number>
  static void put(std::ostream& out, Number number) {
    out.write(reinterpret_cast<const char*>(&number), sizeof(number));
  }
  static std::string fields(std::uint32_t checksum, std::size_t size, const std::string& name) {
    std::ostringstream out;
    put<std::uint16_t>(out, 20);
    put<std::uint16_t>(out, 0);
    put<std::uint16_t>(out, 0);
    put<std::uint32_t>(out, 0);
    put<std::uint32_t>(out, checksum);
    put<std::uint32_t>(out, static_cast<std::uint32_t>(size));
    put<std::uint32_t>(out, static_cast<std::uint32_t>(size));
    put<std::uint16_t>(out, static_cast<std::uint16_t>(name.size()));
    put<std::uint16_t>(out, 0);
    return out.str();
  }

  std::ofstream out_;
  std::string directory_;
  std::uint16_t entries_ = 0;
};

void to_zip(const char* source, const std::vector<Item>& items, const char* destination) {
  const hid_t file = H5Fopen(source, H5F_ACC_RDONLY, H5P_DEFAULT);
  Zip zip(destination);
  for (const Item& item : items) {
    const hid_t set = H5Dopen2(file, item.place.c_str(), H5P_DEFAULT);
    std::vector<float> values(count(item));
    H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(set);
    zip.add(item.name, in_order(item) ? values : transposed(item, values));
  }
  zip.finish();
  H5Fclose(file);
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments, arguments + count);
  if (count == 3 && words[1] == "dlopen") {
    if (dlopen(arguments[2], RTLD_NOW | RTLD_GLOBAL)) return 0;
    std::cerr << dlerror() << "\n";
    return 1;
  }
  if (count == 5 && words[1] == "to-zip") {
    to_zip(arguments[2], read_list(arguments[3]), arguments[4]);
  } else if ((count == 5 || count == 6) && words[1] == "to-h5") {
    to_h5(arguments[2], read_list(arguments[3]), arguments[4], count == 6 ? arguments[5] : nullptr);
  } else {
    std::cerr << "h5bridge_plain to-h5 SOURCE LIST DEST [SHAPE], to-zip SOURCE LIST DEST, or dlopen LIBRARY\n";
    return 2;
  }
  return 0;
}
