#include "keras/dialects/tensorflow_functions.h"

#include <algorithm>
#include <array>

namespace h5bridge {
namespace {

constexpr auto kFunctions = std::to_array<TensorFlowFunction>({
#define TF_FUNCTION(function, module, class_name, operands, settings) \
  {function, module, class_name, operands, settings},
#define TF_OPERATION(operation, function, inputs, attributes)
#include "keras/dialects/tensorflow_operations.def"
#undef TF_FUNCTION
#undef TF_OPERATION
});

TensorFlowSetting setting_of(const std::string& text) {
  const std::size_t arrow = text.find('>'), equals = std::min(text.find('='), text.size());
  TensorFlowSetting setting{text.substr(0, arrow), text.substr(arrow + 1, equals - arrow - 1), std::nullopt};
  constexpr std::string_view kList = "[]";
  setting.is_list = setting.theirs.ends_with(kList);
  if (setting.is_list) setting.theirs.resize(setting.theirs.size() - kList.size());
  if (equals < text.size() && text.substr(equals + 1) != "!") setting.absent = Json::parse(text.substr(equals + 1));
  return setting;
}

}  // namespace

std::vector<TensorFlowOperand> TensorFlowFunction::operand_list() const {
  std::vector<TensorFlowOperand> result;
  for (const std::string& word : words_of(operands, ' ')) {
    const bool is_optional = word.ends_with('?'), has_own_type = word.ends_with('!');
    const std::string names = word.substr(0, word.size() - (is_optional || has_own_type ? 1 : 0));
    const std::size_t arrow = names.find('>');
    const std::string theirs = names.substr(0, arrow);
    result.push_back(
        {theirs, arrow == std::string::npos ? theirs : names.substr(arrow + 1), is_optional, has_own_type});
  }
  return result;
}

std::vector<TensorFlowSetting> TensorFlowFunction::setting_list() const { return tensorflow_settings(settings); }

std::span<const TensorFlowFunction> tensorflow_functions() { return kFunctions; }

std::vector<TensorFlowSetting> tensorflow_settings(std::string_view text) {
  std::vector<TensorFlowSetting> settings;
  for (const std::string& one : words_of(text, ';')) settings.push_back(setting_of(one));
  return settings;
}

std::vector<std::string> words_of(std::string_view text, char separator) {
  std::vector<std::string> result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    result.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

}  // namespace h5bridge
