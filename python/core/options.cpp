#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "convert/load.h"
#include "convert/save.h"
#include "core/parts.h"
#include "h5bridge/h5bridge.h"

namespace h5bridge::python {
namespace {

using Word = std::optional<std::string>;

/// Sets an option whose value has a name: None, or a word that `named` knows.
template <typename T, typename Named>
void set_named(std::optional<T>& option, const Word& word, const std::string& what, Named&& named) {
  option = word ? named(*word) : std::nullopt;
  if (word && !option) throw UsageError(what + "=\"" + *word + "\": there is no such " + what);
}

/// The same, of a table of words.
template <typename T>
auto property_of(std::optional<T> LoadOptions::* option, const char* what, const std::map<std::string, T>& words) {
  return std::pair(
      [option, &words](const LoadOptions& options) -> Word {
        for (const auto& [word, value] : words)
          if (options.*option == value) return word;
        return std::nullopt;
      },
      [option, what, &words](LoadOptions& options, const Word& word) {
        set_named(options.*option, word, what, [&](const std::string& name) {
          const auto found = words.find(name);
          return found == words.end() ? std::nullopt : std::optional(found->second);
        });
      });
}

template <typename T>
Word name_of_option(const std::optional<T>& option) {
  return option ? Word(name_of(*option)) : std::nullopt;
}

}  // namespace

void add_options(nanobind::module_& module) {
  const auto match = property_of(&LoadOptions::match, "match", layer_matches());
  const auto written_by = property_of(&LoadOptions::written_by, "written_by", keras_backends());
  nanobind::class_<LoadOptions>(module, "LoadOptions")
      .def(nanobind::init<>())
      .def_rw("key", &LoadOptions::key)
      .def_rw("optimizer_key", &LoadOptions::optimizer_key)
      .def_rw("allow_unexpected", &LoadOptions::allow_unexpected)
      .def_rw("fix_size", &LoadOptions::fix_sizes)
      .def_rw("optimizer", &LoadOptions::optimizer)
      .def_rw("param_order", &LoadOptions::param_order)
      .def_rw("untie", &LoadOptions::untie)
      .def_rw("trust_torchscript", &LoadOptions::trust_torchscript)
      .def_rw("input_shapes", &LoadOptions::input_shapes)
      .def_rw("map", &LoadOptions::names)
      .def_rw("rename", &LoadOptions::renames)
      .def_prop_rw("match", match.first, match.second, nanobind::arg("word").none())
      .def_prop_rw("written_by", written_by.first, written_by.second, nanobind::arg("word").none());
  nanobind::class_<SaveOptions>(module, "SaveOptions")
      .def(nanobind::init<>())
      .def_rw("to", &SaveOptions::format)
      .def_rw("optimizer", &SaveOptions::optimizer)
      .def_rw("checkpoint", &SaveOptions::checkpoint)
      .def_rw("lossless", &SaveOptions::lossless)
      .def_rw("keras", &SaveOptions::keras)
      .def_rw("shard_size", &SaveOptions::shard_size)
      .def_prop_rw(
          "data_format", [](const SaveOptions& options) { return name_of_option(options.data_format); },
          [](SaveOptions& options, const Word& word) {
            set_named(options.data_format, word, "data_format", data_format_named);
          },
          nanobind::arg("word").none())
      .def_prop_rw(
          "dtype", [](const SaveOptions& options) { return name_of_option(options.dtype); },
          [](SaveOptions& options, const Word& word) { set_named(options.dtype, word, "dtype", rounding_dtype_named); },
          nanobind::arg("word").none());
}

}  // namespace h5bridge::python
