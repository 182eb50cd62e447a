// h5bridge plot SOURCE... -o PICTURE
#include "cli/commands.h"
#include "cli/output.h"
#include "convert/model_check.h"
#include "convert/picture_file.h"

namespace h5bridge::cli {
namespace {

struct PlotCommand {
  CommonOptions common;
  SourceOptions sources;
  std::string output;
};

ExitStatus plot_model(const PlotCommand& options) {
  check_picture_path(options.output);
  const Model model = load(options.sources.sources, options.sources.load);
  print_notes(options.common, model.notes);
  require_architecture(model);
  const Picture picture = picture_of(model);
  print_notes(options.common, write_picture(picture, options.output));
  if (options.common.json)
    print_json(Json::Object{{"written", options.output},
                            {"boxes", picture.boxes.size()},
                            {"arrows", picture.arrows.size()},
                            {"groups", picture.groups.size()}});
  else
    print_message(options.common, "wrote " + options.output);
  return ExitStatus::Done;
}

}  // namespace

void add_plot(CLI::App& program, Action& action) {
  auto [command, options] =
      add_command<PlotCommand>(program, "plot", "draw a model: its layers, shapes and parameters", action, plot_model);
  add_sources(command, options.sources);
  add_names(command, options.sources.load);
  command
      .add_option("-o,--output", options.output,
                  "the picture: .svg, .png or .pdf, drawn by Graphviz, or its own .dot or .gv")
      ->required()
      ->type_name("PICTURE");
}

}  // namespace h5bridge::cli
