#include "pytorch/torchscript/archive.h"

#include <algorithm>
#include <map>
#include <set>

#include "files/little_endian.h"
#include "files/zip.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/file.h"
#include "pytorch/whole_module/description.h"

namespace h5bridge {
namespace {

using pickle::Dict;
using pickle::Ref;

constexpr std::string_view kPrefix = "__torch__";
constexpr int kDeepestScriptModule = 64;
constexpr std::size_t kMostModules = 1'000'000;
constexpr std::uint64_t kLargestCode = std::uint64_t{1} << 28;

bool is_script_module(const pickle::Value& value) {
  const auto* object = value.as<pickle::Object>();
  return object && object->state && object->state->as<Dict>() && pickle::class_of(value).starts_with(kPrefix);
}

const Dict& members_of(const pickle::Value& module) { return *module.as<pickle::Object>()->state->as<Dict>(); }

/// What a class says of its tensors.
struct Declared {
  std::set<std::string, std::less<>> parameters;
  std::set<std::string, std::less<>> buffers;
};

/// The text of a literal; `at` is behind its first quote, and then behind its last.
std::string text_of_literal(std::string_view code, std::size_t& at) {
  const auto is_octal = [&](std::size_t place) {
    return place < code.size() && code[place] >= '0' && code[place] <= '7';
  };
  std::string result;
  for (; at < code.size() && code[at] != '"'; ++at) {
    if (code[at] != '\\' || at + 1 == code.size()) {
      result += code[at];
    } else if (is_octal(at + 1) && is_octal(at + 2) && is_octal(at + 3)) {
      result += static_cast<char>((code[at + 1] - '0') * 64 + (code[at + 2] - '0') * 8 + code[at + 3] - '0');
      at += 3;
    } else {
      ++at;
      result += code[at] == 'n' ? '\n' : code[at] == 't' ? '\t' : code[at];
    }
  }
  ++at;
  return result;
}

/// `["weight", "bias", ]`: the texts in it.
std::set<std::string, std::less<>> names_in(std::string_view list) {
  std::set<std::string, std::less<>> names;
  for (std::size_t open = list.find('"'); open < list.size(); open = list.find('"', open)) {
    ++open;
    names.insert(text_of_literal(list, open));
  }
  return names;
}

/// The classes' lists, from the code of the file that each is in, which is read when it is first asked for.
class Classes {
 public:
  Classes(const ZipReader& archive, std::string folder) : archive_(archive), folder_(std::move(folder)) {}

  /// nullptr where the archive does not say.
  const Declared* find(const std::string& path) {
    const std::size_t dot = path.rfind('.');
    const std::string module = path.substr(0, dot);
    if (read_.insert(module).second) read(module);
    const auto found = classes_.find(path);
    return found == classes_.end() ? nullptr : &found->second;
  }

 private:
  void read(const std::string& module) {
    std::string name = folder_ + "code/" + module;
    std::replace(name.begin() + static_cast<std::ptrdiff_t>(folder_.size()), name.end(), '.', '/');
    const ZipEntry* entry = archive_.find(name + ".py");
    if (!entry || entry->size > kLargestCode) return;
    const std::vector<std::byte> bytes = archive_.read(*entry);
    std::string_view text = text_of(bytes);
    Declared* current = nullptr;
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      if (line.starts_with("class ")) {
        const std::string_view rest = line.substr(std::string_view("class ").size());
        current = &classes_[module + "." + std::string(rest.substr(0, rest.find_first_of("(:")))];
      }
      if (!current) continue;
      if (line.starts_with("  __parameters__ = ")) current->parameters = names_in(line);
      if (line.starts_with("  __buffers__ = ")) current->buffers = names_in(line);
    }
  }

  const ZipReader& archive_;
  std::string folder_;
  std::set<std::string> read_;
  std::map<std::string, Declared> classes_;
};

/// "torch.nn.modules.linear.Linear" of "__torch__.torch.nn.modules.linear.___torch_mangle_0.Linear".
std::string own_class(std::string path) {
  constexpr std::string_view kMangle = "___torch_mangle_";
  path.erase(0, std::min(path.size(), kPrefix.size() + 1));
  for (std::size_t at = 0; (at = path.find(kMangle, at)) != std::string::npos;) {
    const std::size_t dot = path.find('.', at);
    path.erase(at, dot == std::string::npos ? std::string::npos : dot + 1 - at);
  }
  return path;
}

class ScriptReader {
 public:
  ScriptReader(const TorchFile& file, Classes& classes, Model& model) : file_(file), classes_(classes), model_(model) {}

  void read(const pickle::Value& module, const std::string& name, int depth) {
    if (modules_.size() == kMostModules)
      throw MalformedFile("there are more than " + std::to_string(kMostModules) + " modules");
    if (depth == kDeepestScriptModule)
      throw MalformedFile("modules are nested more than " + std::to_string(kDeepestScriptModule) + " deep");
    const Declared* declared = classes_.find(pickle::class_of(module));
    // What says nothing has no attributes that are tensors.
    add_tensors(module, name,
                [&](std::string_view tensor) { return !declared || declared->parameters.contains(tensor); });
    if (declared)
      add_tensors(module, name, [&](std::string_view tensor) { return declared->buffers.contains(tensor); });
    modules_.push_back(module_description(file_, name, own_class(pickle::class_of(module)), settings(module)));
    for (const auto& [key, value] : members_of(module).items)
      if (const auto* child = key->as<std::string>(); child && is_script_module(*value))
        read(*value, name.empty() ? *child : name + "." + *child, depth + 1);
  }

  Json::Array take_modules() { return std::move(modules_); }

 private:
  template <typename Wanted>
  void add_tensors(const pickle::Value& module, const std::string& name, Wanted&& is_wanted) {
    for (const auto& [key, value] : members_of(module).items)
      if (const auto* tensor = key->template as<std::string>(); tensor && is_tensor(*value) && is_wanted(*tensor)) {
        const std::string path = name.empty() ? *tensor : name + "." + *tensor;
        model_.weights.add(path, file_.tensor(*value, path));
      }
  }

  static NamedRefs settings(const pickle::Value& module) {
    NamedRefs result = settings_of(module);
    std::erase_if(result, [](const auto& member) { return is_script_module(*member.second); });
    return result;
  }

  const TorchFile& file_;
  Classes& classes_;
  Model& model_;
  Json::Array modules_;
};

}  // namespace

Model read_torchscript_file(const ZipReaderPtr& archive) {
  const TorchFile torch(open_torch_zip(archive));
  if (!is_script_module(torch.root()))
    throw Unsupported("it holds " + pickle::describe(torch.root()) + ", and no module");
  const std::string& first = archive->entries().front().name;
  Classes classes(*archive, first.substr(0, first.find('/') + 1));

  Model model;
  model.framework = Framework::Torch;
  model.format = "torchscript";
  ScriptReader reader(torch, classes, model);
  reader.read(torch.root(), "", 0);
  const std::string path = own_class(pickle::class_of(torch.root()));
  model.metadata.set("torch",
                     Json::Object{{"module", path},
                                  {"no_architecture",
                                   "a TorchScript archive's graph is code, which LibTorch reads where the file is "
                                   "trusted (LoadOptions::trust_torchscript)"}});
  model.metadata.set("modules", reader.take_modules());
  model.notes.push_back("of the TorchScript module " + shortened(path) + " the tensors are read; its code is not run");
  return model;
}

std::optional<Json> torchscript_architecture(const ZipReader& archive) {
  for (const ZipEntry& entry : archive.entries())
    if (entry.name.ends_with("/extra/h5bridge.json") && entry.size <= kLargestCode) {
      const std::vector<std::byte> bytes = archive.read(entry);
      return Json::parse(text_of(bytes));
    }
  return std::nullopt;
}

}  // namespace h5bridge
