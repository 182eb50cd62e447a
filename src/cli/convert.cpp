// h5bridge convert SOURCE... -o DEST [-o DEST...]
#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "cli/choice.h"
#include "cli/commands.h"
#include "cli/option_names.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/reference_options.h"
#include "cli/report_file.h"
#include "convert/checked_save.h"
#include "convert/formats/format.h"
#include "convert/save.h"
#include "h5bridge/error.h"
#include "runner/library.h"

namespace h5bridge::cli {
namespace {

struct ConvertCommand {
  CommonOptions common;
  SourceOptions sources;
  std::vector<std::string> destinations;
  SaveOptions save;
  bool no_optimizer = false;
  std::optional<std::int64_t> epoch;
  std::optional<double> loss;
  bool check = false;
  bool dry_run = false;
  bool each = false;
  ReferenceOptions reference;
  std::string report;
  CheckOptions checking;
};

const std::map<std::string, DataFormat> kDataFormats{{"channels_last", DataFormat::ChannelsLast},
                                                     {"channels_first", DataFormat::ChannelsFirst}};

Json notes_of(const Model& model, const CheckedSave& saved) {
  Json::Array notes(model.notes.begin(), model.notes.end());
  notes.insert(notes.end(), saved.notes.begin(), saved.notes.end());
  return notes;
}

Json summary(const Model& model, const ConvertCommand& options, const CheckedSave& saved) {
  Json::Object json{{"sources", Json::array(options.sources.sources)},
                    {"destinations", Json::array(options.destinations)},
                    {"written", saved.agrees() && !options.dry_run},
                    {"tensors", model.weights.size()},
                    {"notes", notes_of(model, saved)}};
  if (!options.check) return json;
  Json::Array views;
  for (const CheckedView& view : saved.views) {
    Json::Object item{{"destination", view.path}};
    for (const auto& [name, value] : to_json(view.comparison)) item.set(name, value);
    views.emplace_back(std::move(item));
  }
  json.set("check", std::move(views));
  return json;
}

void print_checks(const std::vector<CheckedView>& checks) {
  for (const CheckedView& view : checks) {
    print_line(view.path + (view.comparison.agrees() ? ": agrees" : ": does not agree"));
    print_outputs(view.comparison);
  }
}

// Whether its numbers are coarser than the tolerances that are there by default.
bool is_rounding(DType dtype) { return dtype == DType::Float16 || dtype == DType::BFloat16; }

struct Conversion {
  Model model;
  CheckedSave saved;
};

std::uint64_t byte_count(const Model& model) {
  std::uint64_t sum = 0;
  for (const NamedTensor& tensor : model.weights) sum += tensor.tensor.byte_count();
  return sum;
}

Conversion convert_sources(const ConvertCommand& options) {
  LoadOptions load_options = options.sources.load;
  load_options.optimizer = !options.no_optimizer;
  load_options.input_shapes = options.checking.inputs.shapes;
  load_options.weights_alone = !options.save.checkpoint && hold_weights_alone(options.destinations, options.save);
  if (options.check || options.reference.is_wanted()) load_torch_ahead();
  Conversion done{load(options.sources.sources, load_options), {}};
  Progress::expect(byte_count(done.model) * options.destinations.size());
  check_reference(options.reference, options.destinations, options.save);
  complete_training(done.model, options.epoch, options.loss);
  SaveOptions save_options = options.save;
  save_options.optimizer = !options.no_optimizer;
  if (options.reference.is_wanted()) {
    done.model.reference =
        made_reference(options.reference, prepared(done.model, save_options), options.checking.inputs, options.common);
    done.model.reference->dtype = save_options.dtype;
  }
  if (options.check) {
    CheckOptions check = options.checking;
    check.device = options.common.device;
    done.saved = checked_save(done.model, options.destinations, save_options, check);
  } else if (options.dry_run) {
    done.saved.notes = rehearse_save(done.model, options.destinations, save_options);
  } else {
    done.saved.notes = save(done.model, options.destinations, save_options);
  }
  return done;
}

// What is said of several destinations alike is said once: "a.pth, b.pth: left out: ...".
std::vector<std::string> said_once(const std::vector<std::string>& notes,
                                   const std::vector<std::string>& destinations) {
  std::vector<std::pair<std::string, std::string>> parts;  // what is said, and of which
  for (const std::string& note : notes) {
    const auto of = std::ranges::find_if(destinations, [&](const auto& path) { return note.starts_with(path + ": "); });
    const std::string text = of == destinations.end() ? note : note.substr(of->size());
    const auto known = std::ranges::find(parts, text, &std::pair<std::string, std::string>::first);
    if (of == destinations.end() || known == parts.end())
      parts.emplace_back(text, of == destinations.end() ? "" : *of);
    else
      known->second += ", " + *of;
  }
  std::vector<std::string> result;
  for (const auto& [text, of] : parts) result.push_back(of + text);
  return result;
}

std::string outcome(const ConvertCommand& options, bool agrees) {
  if (options.dry_run) return "would write ";
  return agrees ? "wrote " : "did not write ";
}

// The same, with a report that is left whatever comes of it.
Conversion reported_conversion(const ConvertCommand& options) {
  ReportFile report(options.report, options.sources.sources, options.destinations);
  try {
    Conversion done = convert_sources(options);
    report.tell(done.model, options.save);
    report.tell_notes(done.model.notes, done.saved.notes);
    report.finish(done.saved.agrees() && !options.dry_run);
    return done;
  } catch (const Error& error) {
    report.tell_refusal(error);
    report.finish(false);
    throw;
  }
}

ExitStatus convert_model(const ConvertCommand& options) {
  const auto [model, saved] = reported_conversion(options);
  print_notes(options.common, model.notes);
  print_notes(options.common, said_once(saved.notes, options.destinations));
  if (options.common.json)
    print_json(summary(model, options, saved));
  else
    print_checks(saved.views);
  if (!saved.agrees() && options.save.dtype && is_rounding(*options.save.dtype))
    print_message(options.common,
                  "weights rounded to " + std::string(name_of(*options.save.dtype)) +
                      " have two or three digits left: --atol 0.01 --rtol 0.01 allow for that in most networks");
  for (const std::string& path : options.destinations)
    print_message(options.common, outcome(options, saved.agrees()) + path);
  return status_of(saved.agrees());
}

// Where each source goes. Sources of one name keep the folders that they are in, as far as these differ.
std::vector<std::string> destinations_of(const ConvertCommand& options) {
  namespace fs = std::filesystem;
  const std::string& folder = options.destinations[0];
  std::vector<std::string> result;
  std::map<std::string, std::vector<std::size_t>> alike;
  for (const std::string& source : options.sources.sources) {
    result.push_back(destination_in(folder, source, options.save.format));
    alike[result.back()].push_back(result.size() - 1);
  }
  for (const auto& [destination, members] : alike) {
    if (members.size() < 2) continue;
    std::vector<fs::path> parents;  // absolute and without "..", so that what is left of them stays in the folder
    for (const std::size_t member : members)
      parents.push_back(fs::absolute(options.sources.sources[member]).lexically_normal().parent_path());
    fs::path common = parents[0];
    for (const fs::path& parent : parents)
      while (std::mismatch(common.begin(), common.end(), parent.begin(), parent.end()).first != common.end())
        common = common.parent_path();
    for (std::size_t i = 0; i < members.size(); ++i)
      result[members[i]] = destination_in((fs::path(folder) / parents[i].lexically_relative(common)).lexically_normal(),
                                          options.sources.sources[members[i]], options.save.format);
  }
  return result;
}

// The command for each source as a model of its own. Throws UsageError where two would be one file.
std::vector<ConvertCommand> one_by_one(const ConvertCommand& options) {
  if (options.save.format.empty() || options.destinations.size() != 1)
    throw UsageError("--each takes one folder as -o, and --to says what is written into it");
  if (!options.report.empty()) throw UsageError("--report is of one model, and --each converts many");
  ConvertCommand without_sources = options;
  without_sources.sources.sources.clear();
  std::vector<ConvertCommand> commands;
  std::map<std::string, std::string> sources;  // by destination
  const std::vector<std::string> destinations = destinations_of(options);
  for (const std::string& source : options.sources.sources) {
    ConvertCommand& one = commands.emplace_back(without_sources);
    one.sources.sources = {source};
    one.destinations = {destinations[commands.size() - 1]};
    const auto [first, is_new] = sources.emplace(one.destinations[0], source);
    if (!is_new)
      throw UsageError(source + ": would be written to " + first->first + ", as " + first->second + " would");
  }
  return commands;
}

// The folders that the models go to; those that a dry run made are gone again.
class Folders {
 public:
  explicit Folders(bool are_kept) : are_kept_(are_kept) {}
  ~Folders() {
    std::error_code ignored;
    for (std::size_t i = made_.size(); !are_kept_ && i-- > 0;) std::filesystem::remove(made_[i], ignored);
  }
  Folders(const Folders&) = delete;
  Folders& operator=(const Folders&) = delete;

  /// With those that it is in.
  void make(const std::filesystem::path& path) {
    std::error_code error;
    if (path.empty() || std::filesystem::is_directory(path, error)) return;
    make(path.parent_path());
    error.clear();
    if (std::filesystem::create_directory(path, error)) made_.push_back(path);
    if (error) throw SystemFailure(path.string() + ": " + error.message());
  }

 private:
  std::vector<std::filesystem::path> made_;
  bool are_kept_;
};

// A line each on standard output; a failure stops nobody. The status is that of the first that failed.
ExitStatus convert_each(const ConvertCommand& options) {
  const std::vector<ConvertCommand> commands = one_by_one(options);
  Folders folders(!options.dry_run);
  folders.make(options.destinations[0]);
  for (const ConvertCommand& one : commands) folders.make(std::filesystem::path(one.destinations[0]).parent_path());
  ExitStatus status = ExitStatus::Done;
  Json::Array models;
  for (const ConvertCommand& one : commands) {
    const std::string& source = one.sources.sources[0];
    Json::Object json{{"source", source}, {"destination", one.destinations[0]}};
    ExitStatus own = ExitStatus::Done;
    std::string line;
    try {
      const auto [model, saved] = convert_sources(one);
      own = status_of(saved.agrees());
      line = source + ": " + outcome(one, saved.agrees()) + one.destinations[0];
      Json notes = notes_of(model, saved);
      for (const Json& note : notes.as_array())
        print_message(options.common, "note: " + source + ": " + note.as_string());
      json.set("notes", std::move(notes));
    } catch (const Error& error) {
      own = error.status();
      line = error.what();
      if (!line.starts_with(source)) line = source + ": " + line;
      line = with_option_names(line);
      json.set("error", line);
    }
    json.set("status", static_cast<int>(own));
    if (status == ExitStatus::Done) status = own;
    if (!options.common.json) print_line(line);
    models.emplace_back(std::move(json));
  }
  if (options.common.json) print_json(Json::Object{{"models", std::move(models)}});
  return status;
}

ExitStatus convert(const ConvertCommand& options) {
  return options.each ? convert_each(options) : convert_model(options);
}

}  // namespace

void add_convert(CLI::App& program, Action& action) {
  auto [command, options] =
      add_command<ConvertCommand>(program, "convert", "write other views of a model", action, convert);
  add_sources(command, options.sources);
  add_names(command, options.sources.load);
  command
      .add_option("-o,--output", options.destinations,
                  "a destination; its suffix tells the format: " + format_suffixes())
      ->required()
      ->type_name("DEST")
      ->allow_extra_args(false);
  command
      .add_option("--to", options.save.format,
                  "the destinations' format, where the suffix does not tell: " + format_names())
      ->type_name("FORMAT");
  add_choice(command, "--data-format", options.save.data_format, kDataFormats, "of Keras destinations");
  command
      .add_option_function<std::string>(
          "--shard-size",
          [&options](const std::string& size) { options.save.shard_size = bytes_of("--shard-size", size); },
          "sharded sets (.safetensors.index.json, Keras's .weights.json): bytes of tensors in a file at most, 5 GB by "
          "default")
      ->type_name("5GB");
  command.add_option("--keras", options.save.keras, "whose .h5: 3 (by default), or 2 for tf.keras of TensorFlow 2")
      ->type_name("2|3");
  add_choice(command, "--dtype", options.save.dtype, rounding_dtypes(), "round floating-point weights to this type");
  command.add_flag("--no-optimizer", options.no_optimizer, "leave the training state out");
  command.add_flag("--lossless", options.save.lossless,
                   "refuse what a destination has no place for, instead of saying so");
  CLI::Option* checkpoint = command.add_flag("--checkpoint", options.save.checkpoint,
                                             "PyTorch: write {epoch, model_state_dict, optimizer_state_dict, loss}");
  command.add_option("--epoch", options.epoch, "of the checkpoint, where the source has none")
      ->type_name("N")
      ->needs(checkpoint);
  command.add_option("--loss", options.loss, "of the checkpoint, where the source has none")
      ->type_name("X")
      ->needs(checkpoint);
  command.add_flag("--dry-run", options.dry_run, "do all but replacing the destinations: say what would be refused");
  command.add_flag("--each", options.each, "each source is a model of its own, and the one destination a folder");
  command.add_flag("--check", options.check, "run both models on random inputs; write only if they agree");
  add_reference(command, options.reference);
  command.add_option("--report", options.report, "write what was done, layer by layer, as JSON")
      ->type_name("FILE.json");
  add_tolerance(command, options.checking.tolerance);
  add_random_inputs(command, options.checking.inputs);
  command.get_option("--input-shape")
      ->description("the shape of a random input, or of an input of a TorchScript archive, which does not say it");
}

}  // namespace h5bridge::cli
