#include "pytorch/exported_older.h"

#include <map>
#include <set>

#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

constexpr const char* kProgram = "serialized_exported_program.json";
constexpr const char* kStateDict = "serialized_state_dict.pt";
constexpr const char* kConstants = "serialized_constants.pt";
constexpr std::uint64_t kLongestProgram = std::uint64_t{1} << 28;

Json program_in(const ZipReader& archive) {
  const ZipEntry& entry = *archive.find(kProgram);
  if (entry.size > kLongestProgram)
    throw MalformedFile(std::string(kProgram) + " is a text of " + std::to_string(entry.size) +
                        " bytes, which is too large");
  const std::vector<std::byte> text = archive.read(entry);
  return Json::parse({reinterpret_cast<const char*>(text.data()), text.size()}, kProgram);
}

// The keys of parameters, and whether each has a gradient.
std::map<std::string, bool> parameters_of(const Json& program) {
  const Json& module = program.at("graph_module");
  std::map<std::string, bool> result;
  for (const Json& spec : module.at("signature").at("input_specs").as_array())
    if (const Json* parameter = spec.find("parameter")) {
      const Json& tensor = module.at("graph").at("tensor_values").at(parameter->at("arg").at("name").as_string());
      result.emplace(parameter->at("parameter_name").as_string(), tensor.at("requires_grad").as_bool());
    }
  return result;
}

// A dict, or one that keeps its order.
const pickle::Items& items_of(const pickle::Value& root, const char* file) {
  if (const auto* dict = root.as<pickle::Dict>()) return dict->items;
  if (const auto* object = root.as<pickle::Object>()) return object->dict_items;
  throw MalformedFile(std::string(file) + " is no dict");
}

std::vector<Pt2Tensor> tensors_in(const ZipReader& archive, const char* file,
                                  const std::map<std::string, bool>& parameters) {
  const ZipEntry* entry = archive.find(file);
  if (!entry) throw MalformedFile(std::string("has no entry ") + file);
  if (entry->size == 0) return {};
  const TorchFile content(archive.open(*entry));
  std::vector<Pt2Tensor> result;
  std::map<const ByteSource*, std::string> storages;
  for (const auto& [key, value] : items_of(content.root(), file)) {
    const auto* name = key->as<std::string>();
    if (!name || !is_tensor(*value)) continue;  // objects of classes of their own, which no operator of ATen's takes
    Tensor tensor = content.tensor(*value, *name);
    const auto storage = storages.emplace(tensor.source().get(), file + std::to_string(storages.size())).first;
    const auto parameter = parameters.find(*name);
    const bool is_parameter = parameter != parameters.end();
    result.push_back({*name, storage->second, std::move(tensor), is_parameter, is_parameter && parameter->second});
  }
  return result;
}

}  // namespace

bool is_older_program(const ZipReader& archive) { return archive.find(kProgram) != nullptr; }

Pt2Model read_older_program(const ZipReader& archive) {
  Pt2Model model;
  model.name = "model";
  model.program = program_in(archive);
  const std::map<std::string, bool> parameters = parameters_of(model.program);
  model.weights = tensors_in(archive, kStateDict, parameters);
  model.constants = tensors_in(archive, kConstants, {});
  return model;
}

}  // namespace h5bridge
