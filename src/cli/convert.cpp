// h5bridge convert SOURCE... -o DEST [-o DEST...]
#include <algorithm>
#include <map>

#include "cli/choice.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "convert/checked_save.h"
#include "convert/save.h"
#include "h5bridge/error.h"

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
                    {"written", saved.agrees()},
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

ExitStatus convert_model(const ConvertCommand& options) {
  LoadOptions load_options = options.sources.load;
  load_options.optimizer = !options.no_optimizer;
  Model model = load(options.sources.sources, load_options);
  complete_training(model, options.epoch, options.loss);
  SaveOptions save_options = options.save;
  save_options.optimizer = !options.no_optimizer;
  CheckedSave saved;
  if (options.check) {
    CheckOptions check = options.checking;
    check.device = options.common.device;
    saved = checked_save(model, options.destinations, save_options, check);
  } else {
    saved.notes = save(model, options.destinations, save_options);
  }
  const bool written = saved.agrees();
  print_notes(options.common, model.notes);
  print_notes(options.common, saved.notes);
  if (options.common.json)
    print_json(summary(model, options, saved));
  else
    print_checks(saved.views);
  for (const std::string& path : options.destinations)
    print_message(options.common, (written ? "wrote " : "did not write ") + path);
  return status_of(written);
}

}  // namespace

void add_convert(CLI::App& program, Action& action) {
  auto [command, options] =
      add_command<ConvertCommand>(program, "convert", "write other views of a model", action, convert_model);
  add_sources(command, options.sources);
  command.add_option("-o,--output", options.destinations, "a destination; its suffix tells the format")
      ->required()
      ->type_name("DEST")
      ->allow_extra_args(false);
  command
      .add_option("--to", options.save.format,
                  "the destinations' format, where the suffix does not tell: " + format_names())
      ->type_name("FORMAT");
  add_choice(command, "--data-format", options.save.data_format, kDataFormats, "of Keras destinations");
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
  command.add_flag("--check", options.check, "run both models on random inputs; write only if they agree");
  add_tolerance(command, options.checking.tolerance);
  add_random_inputs(command, options.checking.inputs);
}

}  // namespace h5bridge::cli
