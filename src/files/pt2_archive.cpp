#include "files/pt2_archive.h"

#include <algorithm>
#include <map>
#include <optional>

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr std::string_view kModels = "models/";
constexpr std::string_view kCompiled = "data/aotinductor/";
constexpr std::string_view kExecuTorch = "data/executorch/";
constexpr std::string_view kWeights = "data/weights/";
constexpr std::string_view kConstants = "data/constants/";
constexpr std::int64_t kStrided = 7;
constexpr std::uint64_t kLargestProgram = std::uint64_t{1} << 28;

// All entries stand below a folder of any name, but for those of an archive that another program has packed.
std::string root_of(const ZipReader& archive) {
  for (const ZipEntry& entry : archive.entries())
    if (const std::size_t at = entry.name.find("archive_format");
        at != std::string::npos && entry.name.size() == at + 14)
      return entry.name.substr(0, at);
  return {};
}

bool has_below(const ZipReader& archive, const std::string& prefix) {
  return std::ranges::any_of(archive.entries(), [&](const ZipEntry& entry) { return entry.name.starts_with(prefix); });
}

Json read_json(const ZipReader& archive, const std::string& name) {
  const ZipEntry* entry = archive.find(name);
  if (!entry) throw MalformedFile("has no entry \"" + shortened(name) + "\"");
  if (entry->size > kLargestProgram)
    throw MalformedFile(name + " is a text of " + std::to_string(entry->size) + " bytes, which is too large");
  const std::vector<std::byte> text = archive.read(*entry);
  return Json::parse({reinterpret_cast<const char*>(text.data()), text.size()}, name);
}

std::string short_text(const ZipReader& archive, const std::string& name) {
  const ZipEntry* entry = archive.find(name);
  if (!entry || entry->size > 64) return {};
  const std::vector<std::byte> bytes = archive.read(*entry);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A tensor's own sizes are numbers; those of a program need not be.
std::int64_t number_in(const Json& size) {
  const Json* number = size.find("as_int");
  if (!number) throw MalformedFile("a stored tensor's size is " + quoted(size) + ", expected a number");
  return number->as_integer();
}

Shape numbers_in(const Json& sizes) {
  Shape result;
  for (const Json& size : sizes.as_array()) result.push_back(number_in(size));
  return result;
}

class TensorReader {
 public:
  TensorReader(const ZipReader& archive, std::string folder) : archive_(archive), folder_(std::move(folder)) {}

  /// Those of a model, by the suffix of what describes them.
  void read(const std::string& model, const char* configuration) {
    // As PyTorch 2.8 has it, and the later ones read it.
    if (const ZipEntry* all = archive_.find(folder_ + model + ".pt")) {
      if (all->size > 0) pickled.push_back({all->name});
      return;
    }
    const Json json = read_json(archive_, folder_ + model + configuration);
    for (const auto& [name, entry] : json.at("config").as_object())
      in_file("tensor \"" + shortened(name) + "\"", [&] { add(name, entry); });
  }

  std::vector<Pt2Tensor> tensors;
  std::vector<Pt2Pickled> pickled;

 private:
  void add(const std::string& name, const Json& entry) {
    const Json* meta = entry.find("tensor_meta");
    if (!meta || meta->is_null()) throw Unsupported("is an object of a class of its own, which is not known here");
    if (entry.at("use_pickle").as_bool())
      pickled.push_back({folder_ + entry.at("path_name").as_string(), name, entry.at("is_param").as_bool(),
                         meta->at("requires_grad").as_bool(), tensors.size() + pickled.size()});
    else
      tensors.push_back(tensor(name, entry, *meta));
  }

  Pt2Tensor tensor(const std::string& name, const Json& entry, const Json& meta) {
    if (const std::int64_t layout = meta.at("layout").as_integer(); layout != kStrided)
      throw Unsupported("has layout " + std::to_string(layout) + ", which is none of dense tensors");
    const std::string storage = folder_ + entry.at("path_name").as_string();
    const Shape shape = numbers_in(meta.at("sizes"));
    const Shape strides = numbers_in(meta.at("strides"));
    if (shape.size() != strides.size()) throw MalformedFile("has other numbers of sizes and of strides");
    try {
      return {
          name, storage,
          Tensor(pt2_dtype(meta.at("dtype")), shape, strides, number_in(meta.at("storage_offset")), bytes_of(storage)),
          entry.at("is_param").as_bool(), meta.at("requires_grad").as_bool()};
    } catch (const UsageError& error) {  // it leaves its bytes
      throw MalformedFile(error.what());
    }
  }

  ByteSourcePtr bytes_of(const std::string& storage) {
    if (const auto found = storages_.find(storage); found != storages_.end()) return found->second;
    const ZipEntry* entry = archive_.find(storage);
    if (!entry) throw MalformedFile("its bytes, \"" + shortened(storage) + "\", are not in the archive");
    return storages_.emplace(storage, archive_.open(*entry)).first->second;
  }

  const ZipReader& archive_;
  std::string folder_;
  std::map<std::string, ByteSourcePtr> storages_;
};

void refuse_other_forms(const ZipReader& archive, const std::string& root) {
  if (has_below(archive, root + std::string(kModels))) return;
  if (has_below(archive, root + std::string(kCompiled)))
    throw Unsupported(
        "holds code that AOTInductor compiled and no exported program: save the program with torch.export.save");
  if (has_below(archive, root + std::string(kExecuTorch)))
    throw Unsupported("holds ExecuTorch's program alone: save the exported program with torch.export.save");
  throw MalformedFile("holds no exported program");
}

std::string wanted_model(const std::vector<std::string>& models, const std::string& name) {
  if (name.empty() && models.size() == 1) return models[0];
  if (name.empty())
    throw UsageError("holds several models (" + joined(models) + "): LoadOptions::key says which one is meant");
  if (std::ranges::find(models, name) == models.end())
    throw UsageError("holds no model \"" + shortened(name) + "\", but " + joined(models));
  return name;
}

}  // namespace

bool is_pt2_archive(const ZipReader& archive) {
  return short_text(archive, root_of(archive) + "archive_format") == "pt2";
}

std::vector<std::string> pt2_models(const ZipReader& archive) {
  const std::string folder = root_of(archive) + std::string(kModels);
  std::vector<std::string> result;
  for (const ZipEntry& entry : archive.entries())
    if (entry.name.starts_with(folder) && entry.name.ends_with(".json"))
      result.push_back(entry.name.substr(folder.size(), entry.name.size() - folder.size() - 5));
  return result;
}

Pt2Model read_pt2_model(const ZipReader& archive, const std::string& name) {
  const std::string root = root_of(archive);
  refuse_other_forms(archive, root);
  if (const std::string order = short_text(archive, root + "byteorder"); order == "big")
    throw Unsupported("was written on a big-endian machine, whose bytes are in another order");
  Pt2Model model;
  model.name = wanted_model(pt2_models(archive), name);
  model.program = read_json(archive, root + std::string(kModels) + model.name + ".json");
  TensorReader weights(archive, root + std::string(kWeights)), constants(archive, root + std::string(kConstants));
  weights.read(model.name, "_weights_config.json");
  constants.read(model.name, "_constants_config.json");
  model.weights = std::move(weights.tensors);
  model.pickled_weights = std::move(weights.pickled);
  model.constants = std::move(constants.tensors);
  model.pickled_constants = std::move(constants.pickled);
  return model;
}

DType pt2_dtype(const Json& code) {
  static const std::map<std::int64_t, DType> known{
      {1, DType::UInt8},      {2, DType::Int8},          {3, DType::Int16},       {4, DType::Int32},
      {5, DType::Int64},      {6, DType::Float16},       {7, DType::Float32},     {8, DType::Float64},
      {10, DType::Complex64}, {11, DType::Complex128},   {12, DType::Bool},       {13, DType::BFloat16},
      {28, DType::UInt16},    {29, DType::Float8E4M3FN}, {30, DType::Float8E5M2}, {34, DType::UInt32},
      {35, DType::UInt64}};
  const auto found = known.find(code.as_integer());
  if (found == known.end())
    throw Unsupported("has dtype " + quoted(code) + " of torch.export, which is not known here");
  return found->second;
}

}  // namespace h5bridge
