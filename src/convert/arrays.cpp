#include "convert/arrays.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "convert/replacement.h"
#include "files/npy.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

using Port = Presentation::Port;

std::vector<NamedTensor> read_file(const std::string& path) {
  const ByteSourcePtr file = open_file(path);
  return in_file(path, [&]() -> std::vector<NamedTensor> {
    if (looks_like_npy(*file)) return {{"", read_npy(file)}};
    if (looks_like_zip(*file)) return read_npz(file);
    throw MalformedFile("is neither a .npy nor an .npz file");
  });
}

std::string names_of(const std::vector<Port>& ports) {
  std::string result;
  for (const Port& port : ports) result += (result.empty() ? "\"" : ", \"") + port.name + "\"";
  return result;
}

bool has(const std::vector<Port>& ports, const std::string& name) {
  return std::ranges::find(ports, name, &Port::name) != ports.end();
}

/// Whether numpy.save or numpy.savez left the array without a name: arr_0, arr_1, ...
bool is_unnamed(const std::string& name) {
  constexpr std::string_view kPrefix = "arr_";
  return name.empty() ||
         (name.starts_with(kPrefix) && name.find_first_not_of("0123456789", kPrefix.size()) == std::string::npos);
}

Tensor known_to_numpy(const Tensor& tensor) {
  return tensor.dtype() == DType::BFloat16 ? cast(tensor, DType::Float32) : tensor;
}

}  // namespace

std::vector<NamedTensor> read_arrays(const std::vector<std::string>& arguments) {
  std::vector<NamedTensor> result;
  for (const std::string& argument : arguments) {
    const std::size_t equals = argument.find('=');
    const bool is_named = equals != std::string::npos && equals > 0 && argument.find('/') >= equals;
    if (!is_named) {
      for (NamedTensor& tensor : read_file(argument)) result.push_back(std::move(tensor));
      continue;
    }
    std::vector<NamedTensor> arrays = read_file(argument.substr(equals + 1));
    if (arrays.size() != 1)
      throw UsageError(argument + ": holds " + std::to_string(arrays.size()) + " arrays, expected one");
    result.push_back({argument.substr(0, equals), arrays[0].tensor});
  }
  return result;
}

std::vector<NamedTensor> named_for(std::vector<NamedTensor> arrays, const std::vector<Port>& ports,
                                   const std::string& what, std::vector<NamedTensor>* others) {
  std::vector<NamedTensor> result;
  std::vector<std::string> taken;
  for (const NamedTensor& array : arrays)
    if (has(ports, array.name)) taken.push_back(array.name);
  for (NamedTensor& array : arrays) {
    if (has(ports, array.name)) {
      if (std::ranges::count(taken, array.name) > 1) throw UsageError(what + " \"" + array.name + "\" is given twice");
      result.push_back(array);
      continue;
    }
    const auto free =
        std::ranges::find_if(ports, [&](const Port& port) { return std::ranges::count(taken, port.name) == 0; });
    if (others && (!is_unnamed(array.name) || free == ports.end())) {
      others->push_back(array);
      continue;
    }
    if (!is_unnamed(array.name))
      throw UsageError("the model has no " + what + " \"" + array.name + "\", only " + names_of(ports));
    if (free == ports.end()) throw UsageError("there are more arrays than " + what + "s: " + names_of(ports));
    array.name = free->name;
    taken.push_back(array.name);
    result.push_back(array);
  }
  return result;
}

void check_array_path(const std::string& path, std::size_t count) {
  if (path.ends_with(".npz") || (path.ends_with(".npy") && count == 1)) return;
  throw UsageError(path + (path.ends_with(".npy")
                               ? ": holds one array, and there are " + std::to_string(count) + "; name an .npz file"
                               : ": its suffix is neither .npy nor .npz"));
}

void write_arrays(const std::vector<NamedTensor>& arrays, const std::string& path) {
  check_array_path(path, arrays.size());
  std::vector<NamedTensor> known;
  for (const NamedTensor& array : arrays) known.push_back({array.name, known_to_numpy(array.tensor)});
  Replacement replacement;
  const std::string temporary = replacement.temporary_for(path);
  in_file(path, [&] {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    if (!out) throw SystemFailure(std::strerror(errno));
    if (path.ends_with(".npz"))
      write_npz(known, out);
    else
      write_npy(known[0].tensor, out);
    out.close();
    if (!out) throw SystemFailure(std::string("writing failed: ") + std::strerror(errno));
  });
  replacement.commit();
}

}  // namespace h5bridge
