// The functions of TensorFlow that are known as operations of Keras 3: tensorflow_operations.def, as rows.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "h5bridge/json.h"

namespace h5bridge {

/// "theirs>ours=default"; one of the names may be missing.
struct TensorFlowSetting {
  std::string theirs, ours;
  std::optional<Json> absent;  // nullopt: it has to be given
  bool is_list = false;        // of one number
  bool is_fixed() const { return ours.empty() && absent; }
};

/// An argument of a call.
struct TensorFlowOperand {
  std::string name, ours;
  bool is_optional;
  bool has_own_type;
};

struct TensorFlowFunction {
  std::string_view name;
  std::string_view module;
  std::string_view class_name;
  std::string_view operands;
  std::string_view settings;

  std::vector<TensorFlowOperand> operand_list() const;
  std::vector<TensorFlowSetting> setting_list() const;
};

std::span<const TensorFlowFunction> tensorflow_functions();

std::vector<TensorFlowSetting> tensorflow_settings(std::string_view text);
/// What stands between separators.
std::vector<std::string> words_of(std::string_view text, char separator);

}  // namespace h5bridge
