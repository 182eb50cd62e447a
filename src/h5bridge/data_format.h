// Where channels stand.
#pragma once

#include <optional>
#include <string_view>

namespace h5bridge {

/// Where the axis of channels stands: last, as Keras has it by default, or behind the batch, as PyTorch has it.
enum class DataFormat { ChannelsLast, ChannelsFirst };

/// Keras's word: "channels_last", "channels_first".
std::string_view name_of(DataFormat format);

/// The inverse of name_of; nullopt for any other word.
std::optional<DataFormat> data_format_named(std::string_view name);

}  // namespace h5bridge
