#include "pytorch/exported_program/older.h"

#include <algorithm>
#include <map>
#include <utility>

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
const pickle::Items& items_of(const pickle::Value& root, const std::string& file) {
  if (const auto* dict = root.as<pickle::Dict>()) return dict->items;
  if (const auto* object = root.as<pickle::Object>()) return object->dict_items();
  throw MalformedFile(shortened(file) + " is no dict");
}

const ZipEntry& entry_of(const ZipReader& archive, const std::string& file) {
  const ZipEntry* entry = archive.find(file);
  if (!entry) throw MalformedFile("has no entry \"" + shortened(file) + "\"");
  return *entry;
}

// Of parameters that are tied the program knows one name.
void mark_tied(std::vector<Pt2Tensor>& tensors) {
  const auto is_one = [](const Pt2Tensor& a, const Pt2Tensor& b) {
    return a.storage == b.storage && a.tensor.offset() == b.tensor.offset() && a.tensor.shape() == b.tensor.shape() &&
           a.tensor.strides() == b.tensor.strides();
  };
  std::multimap<std::string, const Pt2Tensor*> parameters;  // by their storages
  for (const Pt2Tensor& tensor : tensors)
    if (tensor.is_parameter) parameters.emplace(tensor.storage, &tensor);
  for (Pt2Tensor& tensor : tensors) {
    if (tensor.is_parameter) continue;
    const auto [begin, end] = parameters.equal_range(tensor.storage);
    const auto found = std::find_if(begin, end, [&](const auto& other) { return is_one(tensor, *other.second); });
    if (found == end) continue;
    tensor.is_parameter = true;
    tensor.requires_grad = found->second->requires_grad;
  }
}

std::vector<Pt2Tensor> tensors_in(const ZipReader& archive, const std::string& file,
                                  const std::map<std::string, bool>& parameters) {
  const ZipEntry* entry = &entry_of(archive, file);
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
  mark_tied(result);
  return result;
}

// Of a class of its own, of which the numbers are what counts.
Pt2Tensor tensor_in(const ZipReader& archive, const Pt2Pickled& pickled) {
  const std::string where = "tensor \"" + shortened(pickled.name) + "\", which is pickled";
  return in_file(where, [&]() -> Pt2Tensor {
    const TorchFile content(archive.open(entry_of(archive, pickled.entry)));
    if (!is_tensor(content.root())) throw Unsupported("is of a class that is not known here");
    return {pickled.name, pickled.entry, content.tensor(content.root(), pickled.name), pickled.is_parameter,
            pickled.requires_grad};
  });
}

void add_pickled(const ZipReader& archive, const std::vector<Pt2Pickled>& all,
                 const std::map<std::string, bool>& parameters, std::vector<Pt2Tensor>& tensors) {
  for (const Pt2Pickled& pickled : all) {
    if (pickled.name.empty()) {
      tensors = tensors_in(archive, pickled.entry, parameters);
      continue;
    }
    tensors.insert(tensors.begin() + static_cast<std::ptrdiff_t>(pickled.place), tensor_in(archive, pickled));
  }
}

}  // namespace

void read_pickled(const ZipReader& archive, Pt2Model& model) {
  if (model.pickled_weights.empty() && model.pickled_constants.empty()) return;
  add_pickled(archive, std::exchange(model.pickled_weights, {}), parameters_of(model.program), model.weights);
  add_pickled(archive, std::exchange(model.pickled_constants, {}), {}, model.constants);
}

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
