#include "h5bridge/data_format.h"

namespace h5bridge {
namespace {

constexpr std::string_view kChannelsLast = "channels_last";
constexpr std::string_view kChannelsFirst = "channels_first";

}  // namespace

std::string_view name_of(DataFormat format) {
  return format == DataFormat::ChannelsLast ? kChannelsLast : kChannelsFirst;
}

std::optional<DataFormat> data_format_named(std::string_view name) {
  if (name == kChannelsFirst) return DataFormat::ChannelsFirst;
  return name == kChannelsLast ? std::optional(DataFormat::ChannelsLast) : std::nullopt;
}

}  // namespace h5bridge
