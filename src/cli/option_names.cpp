#include "cli/option_names.h"

#include <string_view>
#include <utility>

namespace h5bridge::cli {
namespace {

constexpr std::pair<std::string_view, std::string_view> kNames[]{
    {"(LoadOptions::param_order)", "(--param-order names.json)"},  // where it is advised
    {"LoadOptions::allow_unexpected", "--allow-unexpected"},
    {"LoadOptions::fix_sizes", "--fix-size"},
    {"LoadOptions::input_shapes", "--input-shape"},
    {"LoadOptions::key", "--key"},
    {"LoadOptions::match", "--match"},
    {"LoadOptions::names", "--names"},
    {"LoadOptions::optimizer = false", "--no-optimizer"},
    {"LoadOptions::optimizer_key", "--optimizer-key"},
    {"LoadOptions::param_order", "--param-order"},
    {"LoadOptions::renames", "--rename"},
    {"LoadOptions::trust_torchscript", "--trust-torchscript"},
    {"LoadOptions::untie", "--untie"},
    {"LoadOptions::written_by", "--written-by"},
    {"RunOptions::layout = keras", "--input-layout keras"},
    {"RunOptions::layout = torch", "--input-layout torch"},
    {"SaveOptions::checkpoint", "--checkpoint"},
    {"SaveOptions::dtype", "--dtype"},
    {"SaveOptions::format", "--to"},
    {"SaveOptions::keras", "--keras"},
    {"SaveOptions::lossless", "--lossless"},
    {"SaveOptions::optimizer = false", "--no-optimizer"},
    {"SaveOptions::shard_size", "--shard-size"},
    {"Tolerance::equal_nan", "--equal-nan"},
};

}  // namespace

std::string with_option_names(std::string message) {
  for (const auto& [own, option] : kNames)
    for (std::size_t at = 0; (at = message.find(own, at)) != std::string::npos; at += option.size())
      message.replace(at, own.size(), option);
  return message;
}

}  // namespace h5bridge::cli
