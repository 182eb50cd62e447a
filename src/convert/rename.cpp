#include "convert/rename.h"

#include <algorithm>
#include <functional>
#include <regex>

#include "h5bridge/error.h"
#include "model/did_you_mean.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// Expressions are matched by recursion, which a name without end would exhaust.
constexpr std::size_t kLongestName = 4096;

struct Renaming {
  std::regex expression;
  std::string replacement;

  std::string operator()(const std::string& name) const {
    if (name.size() > kLongestName)
      throw MalformedFile("the name " + shortened(name) + " is too long for LoadOptions::renames");
    return std::regex_replace(name, expression, replacement);
  }
};

// "\1" as in Python and sed is "$1" here; a "$" of the text's own stays one.
std::string format_of(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_group = text[i] == '\\' && i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
    if (is_group)
      result += text[i + 1] == '0' ? "$&" : "$" + std::string(1, text[i + 1]);
    else if (text[i] == '\\' && i + 1 < text.size())
      result += text[i + 1];
    else
      result += text[i];
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
  }
  return result;
}

// The first '=' that is not escaped parts the two.
Renaming renaming_of(const std::string& text) {
  std::string expression;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      expression += text[i + 1] == '=' ? "=" : text.substr(i, 2);
      ++i;
    } else if (text[i] != '=') {
      expression += text[i];
    } else {
      try {
        return {std::regex(expression), format_of(text.substr(i + 1))};
      } catch (const std::regex_error& error) {
        throw UsageError("LoadOptions::renames: \"" + shortened(expression) +
                         "\" is no regular expression: " + error.what());
      }
    }
  }
  throw UsageError("LoadOptions::renames: \"" + shortened(text) + "\" has no '=', expected EXPRESSION=REPLACEMENT");
}

class NewNames {
 public:
  explicit NewNames(const LoadOptions& options) : names_(options.names) {
    for (const std::string& text : options.renames) renamings_.push_back(renaming_of(text));
  }

  std::string of(const std::string& name) const {
    const auto known = names_.find(name);
    std::string result = known == names_.end() ? name : known->second;
    for (const Renaming& renaming : renamings_) result = renaming(result);
    return result;
  }

 private:
  const std::map<std::string, std::string>& names_;
  std::vector<Renaming> renamings_;
};

void check_names(const Weights& weights, const std::map<std::string, std::string>& names) {
  for (const auto& [theirs, ours] : names) {
    if (weights.find(theirs)) continue;
    std::vector<std::string> known;
    for (const NamedTensor& tensor : weights) known.push_back(tensor.name);
    throw UsageError("LoadOptions::names has \"" + shortened(theirs) + "\", which the file does not" +
                     did_you_mean(theirs, known));
  }
}

void rename_optimizer(Optimizer& optimizer, const NewNames& names) {
  for (Json::Object& group : optimizer.groups)
    for (const char* member : {"params", "param_names"}) {
      const Json* listed = group.find(member);
      if (!listed || !listed->is_array()) continue;
      Json::Array renamed = listed->as_array();
      for (Json& name : renamed)
        if (name.is_string()) name = names.of(name.as_string());
      group.set(member, std::move(renamed));
    }
  std::map<std::string, std::vector<NamedTensor>> slots;
  const bool is_named = std::ranges::any_of(optimizer.groups, [](const Json::Object& group) {
    const Json* listed = group.find("params");
    return listed && listed->is_array() && !listed->as_array().empty() && listed->as_array()[0].is_string();
  });
  if (!is_named) return;
  for (auto& [name, tensors] : optimizer.slots) slots[names.of(name)] = std::move(tensors);
  optimizer.slots = std::move(slots);
}

}  // namespace

bool renames(const LoadOptions& options) { return !options.names.empty() || !options.renames.empty(); }

void rename_tensors(Model& model, const LoadOptions& options) {
  const NewNames names(options);
  check_names(model.weights, options.names);
  Weights renamed;
  std::map<std::string, std::string> sources;
  bool is_changed = false;
  for (const NamedTensor& tensor : model.weights) {
    const std::string name = names.of(tensor.name);
    is_changed = is_changed || name != tensor.name;
    if (name.empty()) throw MalformedFile("the tensor \"" + shortened(tensor.name) + "\" is renamed to nothing");
    if (const auto [first, is_new] = sources.emplace(name, tensor.name); !is_new)
      throw MalformedFile("the tensors \"" + shortened(first->second) + "\" and \"" + shortened(tensor.name) +
                          "\" are both renamed to \"" + shortened(name) + "\"");
    renamed.add(name, tensor.tensor);
  }
  if (!is_changed) {
    if (!options.renames.empty()) model.notes.push_back("LoadOptions::renames changes no name");
    return;
  }
  model.weights = std::move(renamed);
  if (Json* torch = model.metadata.find("torch")) torch->as_object().erase("state_dict_metadata");
  if (model.training && model.training->optimizer) rename_optimizer(*model.training->optimizer, names);
}

}  // namespace h5bridge
