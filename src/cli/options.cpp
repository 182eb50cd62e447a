#include "cli/options.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

#include "cli/choice.h"
#include "convert/formats/source_file.h"
#include "convert/load.h"
#include "convert/save.h"
#include "h5bridge/byte_source.h"
#include "h5bridge/error.h"
#include "h5bridge/json.h"

namespace h5bridge::cli {
namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& found, const std::string& expected) {
  throw UsageError(option + " " + found + ": expected " + expected);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The two sides of the first '='.
std::pair<std::string, std::string> split_assignment(const std::string& option, const std::string& text,
                                                     const std::string& expected) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) refuse(option, text, expected);
  return {text.substr(0, equals), text.substr(equals + 1)};
}

Shape parse_shape(const std::string& option, const std::string& text, const std::string& sizes) {
  Shape shape;
  for (std::size_t begin = 0; begin <= sizes.size();) {
    const std::size_t end = std::min(sizes.find(',', begin), sizes.size());
    const auto size = parse_integer(std::string_view(sizes).substr(begin, end - begin));
    if (!size || *size < 1) refuse(option, text, "NAME=SIZE,SIZE,...");
    shape.push_back(*size);
    begin = end + 1;
  }
  return shape;
}

void check_device(const std::string& device) {
  constexpr std::string_view kNumbered = "cuda:";
  const auto number =
      device.starts_with(kNumbered) ? parse_integer(std::string_view(device).substr(kNumbered.size())) : std::nullopt;
  if (device != "cpu" && device != "cuda" && (!number || *number < 0))
    refuse("--device", device, "cpu, cuda or cuda:N");
}

std::vector<std::string> names_in(const Json& list) {
  std::vector<std::string> names;
  for (const Json& name : list.as_array()) names.push_back(name.as_string());
  return names;
}

/// ["a", "b"], or a list of such lists, one a group.
std::vector<std::vector<std::string>> read_param_order(const std::string& path) {
  return in_file(path, [&] {
    const Json json = Json::parse(read_text(*open_file(path)));
    std::vector<std::vector<std::string>> groups;
    if (json.as_array().empty() || json.as_array().front().is_string())
      groups.push_back(names_in(json));
    else
      for (const Json& group : json.as_array()) groups.push_back(names_in(group));
    return groups;
  });
}

/// {"theirs": "ours"}
std::map<std::string, std::string> read_names(const std::string& path) {
  return in_file(path, [&] {
    std::map<std::string, std::string> names;
    const Json json = Json::parse(read_text(*open_file(path)));
    for (const auto& [theirs, ours] : json.as_object()) names[theirs] = ours.as_string();
    return names;
  });
}

/// An option that may be given again and again, each time with one argument for `take`.
template <typename Take>
CLI::Option* add_repeatable(CLI::App& command, const std::string& name, const std::string& type,
                            const std::string& description, Take take) {
  const auto take_all = [take](const CLI::results_t& arguments) {
    for (const std::string& argument : arguments) take(argument);
    return true;
  };
  return command.add_option(name, take_all, description)
      ->type_name(type)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

}  // namespace

std::string positive_integer(const std::string& text) {
  const auto number = parse_integer(text);
  return number && *number > 0 ? "" : text + ": expected a number from 1 on";
}

std::uint64_t bytes_of(const std::string& option, const std::string& text) {
  constexpr std::uint64_t kKilo = 1000, kKibi = 1024;
  static const std::map<std::string, std::uint64_t> units{{"", 1},
                                                          {"B", 1},
                                                          {"KB", kKilo},
                                                          {"MB", kKilo * kKilo},
                                                          {"GB", kKilo * kKilo * kKilo},
                                                          {"KiB", kKibi},
                                                          {"MiB", kKibi * kKibi},
                                                          {"GiB", kKibi * kKibi * kKibi}};
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_integer(std::string_view(text).substr(0, end));
  const auto unit = units.find(text.substr(end));
  const bool fits = number && *number > 0 && unit != units.end() &&
                    static_cast<std::uint64_t>(*number) <= std::numeric_limits<std::uint64_t>::max() / unit->second;
  if (!fits) refuse(option, text, "a number of bytes, 5GB or 512MiB");
  return static_cast<std::uint64_t>(*number) * unit->second;
}

void add_common(CLI::App& command, CommonOptions& options) {
  command
      .add_option_function<std::string>(
          "--device",
          [&options](const std::string& device) {
            check_device(device);
            options.device = device;
          },
          "where models run: cpu, cuda or cuda:N")
      ->type_name("DEVICE");
  command.add_flag("--json", options.json, "print one JSON document on standard output");
  command.add_flag("--quiet", options.quiet, "no progress and no messages on standard error, but for errors");
  command.set_version_flag("--version", "h5bridge " + std::string(version()), "print the version and leave");
}

void add_load_options(CLI::App& command, LoadOptions& options) {
  command.add_option("--key", options.key, "the entry of a checkpoint that holds the state_dict: NAME or a.b")
      ->type_name("NAME");
  command
      .add_option("--optimizer-key", options.optimizer_key,
                  "the entry of a checkpoint that holds the optimizer, where several could: NAME, a.b of a dict in it, "
                  "or NAME.1 of a "
                  "list")
      ->type_name("NAME");
  command.add_flag("--allow-unexpected,--no-strict", options.allow_unexpected,
                   "carry tensors that the architecture does not name along beside the model");
  add_repeatable(command, "--fix-size", "NAME=N", "bind an open size", [&options](const std::string& text) {
    const auto [name, size] = split_assignment("--fix-size", text, "NAME=N");
    const auto value = parse_integer(size);
    if (!value) refuse("--fix-size", text, "NAME=N");
    if (!options.fix_sizes.try_emplace(name, *value).second)
      throw UsageError("--fix-size: " + name + " is given twice");
  });
  add_repeatable(command, "--param-order", "names.json",
                 "the names of an optimizer's parameters, as its groups list them",
                 [&options](const std::string& path) { options.param_order = read_param_order(path); });
  add_choice(command, "--match", options.match, layer_matches(),
             "how weights find the layers of a Keras file without architecture; \"order\" also for a state_dict of "
             "other names");
  add_choice(command, "--written-by", options.written_by, keras_backends(),
             "who wrote a file of Keras 0 or 1, where it does not say");
  add_repeatable(command, "--rename", "OLD=NEW",
                 "a regular expression on the state_dict's names and what its matches become",
                 [&options](const std::string& text) { options.renames.push_back(text); });
  command.add_flag("--untie", options.untie, "tied tensors that differ in the file become two");
  command.add_flag("--trust-torchscript", options.trust_torchscript,
                   "read a TorchScript archive's graph by LibTorch, which runs code of the file's while loading it");
}

void add_names(CLI::App& command, LoadOptions& options, const std::string& spellings) {
  command
      .add_option_function<std::string>(
          spellings, [&options](const std::string& path) { options.names = read_names(path); },
          "other names for the state_dict's tensors, {\"theirs\": \"ours\"}, before --rename")
      ->type_name("names.json");
}

void add_sources(CLI::App& command, SourceOptions& options) {
  command.add_option("SOURCE", options.sources, "the files that together make one model, in any order")
      ->required()
      ->type_name("");
  add_load_options(command, options.load);
}

RunOptions RunningOptions::run_options(const CommonOptions& common) const {
  return {.device = common.device, .layout = layout, .batch_size = batch_size, .dtype = dtype};
}

void add_inputs(CLI::App& command, RunningOptions& options) {
  add_repeatable(command, "--input", "X", "a .npy file, NAME=file.npy, or an .npz file with an array per input",
                 [&options](const std::string& text) { options.inputs.push_back(text); });
  command
      .add_option_function<std::string>(
          "--input-layout",
          [&options](const std::string& text) {
            if (text != "keras" && text != "torch") refuse("--input-layout", text, "keras or torch");
            options.layout = text == "keras" ? Framework::Keras : Framework::Torch;
          },
          "lay inputs and outputs out as this framework does, instead of the sources' own")
      ->type_name("keras|torch");
}

CLI::Option* add_expected(CLI::App& command, std::vector<std::string>& expected) {
  return command
      .add_option("--expect", expected,
                  "the outputs: a .npy file, NAME=file.npy, or an .npz file with an array per output")
      ->type_name("Y")
      ->allow_extra_args(false);
}

void add_running(CLI::App& command, RunningOptions& options) {
  add_inputs(command, options);
  command.add_option("--batch-size", options.batch_size, "split the batch axis into parts of N")
      ->type_name("N")
      ->check([](const std::string& text) {
        return parse_integer(text).value_or(0) < 1 ? text + ": expected at least 1" : std::string();
      });
  add_choice(command, "--dtype", options.dtype, rounding_dtypes(),
             "compute in this type: floating-point weights and inputs are rounded to it");
  command.add_flag("--exact", options.exact,
                   "the plain modules, which equal eager PyTorch bit for bit, in place of the compiled plan");
}

void add_map(CLI::App& command, LoadOptions& options) {
  command.add_flag("--map,--mmap", options.memory_map,
                   "map files of weights instead of reading them; truncating one meanwhile kills the process");
}

void add_tolerance(CLI::App& command, Tolerance& tolerance) {
  const auto add = [&command](const char* name, double& value, const char* description) {
    command.add_option(name, value, description)
        ->type_name("X")
        ->check([](const std::string& text) {
          double number = 0;
          const bool is_number = CLI::detail::lexical_cast(text, number);
          return is_number && number >= 0 ? std::string() : text + ": expected a number of at least 0";
        })
        ->capture_default_str();
  };
  add("--atol", tolerance.absolute, "absolute tolerance");
  add("--rtol", tolerance.relative, "relative tolerance");
}

void add_equal_nan(CLI::App& command, Tolerance& tolerance) {
  command.add_flag("--equal-nan", tolerance.equal_nan, "NaN agrees with NaN; without it, with nothing");
}

void add_random_inputs(CLI::App& command, RandomInputs& options) {
  command.add_option("--seed", options.seed, "of the random inputs")->type_name("S");
  add_repeatable(command, "--input-shape", "NAME=N,N,...", "the shape of a random input",
                 [&options](const std::string& text) {
                   const auto [name, sizes] = split_assignment("--input-shape", text, "NAME=SIZE,SIZE,...");
                   options.shapes[name] = parse_shape("--input-shape", text, sizes);
                 });
}

}  // namespace h5bridge::cli
