#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>
#include <string_view>

#include "cli/commands.h"
#include "cli/interruption.h"
#include "cli/output.h"
#include "h5bridge/error.h"
#include "model/did_you_mean.h"
#include "model/quoted.h"
#include "runner/library.h"

namespace h5bridge::cli {
namespace {

void declare(CLI::App& program, Action& action) {
  program.set_version_flag("--version", "h5bridge " + std::string(version()), "print the version and leave");
  for (const auto add :
       {add_convert, add_inspect, add_validate, add_run, add_verify, add_compare, add_plot, add_completion})
    add(program, action);
  program.require_subcommand(0, 1);
  program.allow_extras();  // of the program, not of its commands: check_command words the error
}

std::vector<std::string> command_names(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

void check_command(const CLI::App& program) {
  const std::vector<std::string> extras = program.remaining();
  if (extras.empty() && !program.get_subcommands().empty()) return;
  const std::string names = joined(command_names(program));
  throw UsageError(extras.empty() ? "no command is given; there are " + names + " (h5bridge --help says what each does)"
                                  : "there is no command \"" + extras.front() + "\"; there are " + names +
                                        did_you_mean(extras.front(), command_names(program)));
}

// Of arguments that a command does not take, the first that looks like an option is what is wrong.
void check_options(const CLI::App& program) {
  for (const CLI::App* command : program.get_subcommands())
    for (const std::string& argument : command->remaining()) {
      if (!argument.starts_with("-")) continue;
      const std::string name = argument.substr(0, argument.find('='));
      std::vector<std::string> known;
      for (const CLI::Option* option : command->get_options())
        for (const std::string& longer : option->get_lnames()) known.push_back("--" + longer);
      throw UsageError("\"" + name + "\" is no option of " + command->get_name() + did_you_mean(name, known) +
                       " (--help lists them)");
    }
}

// CLI11's own words for what is missing or wrong do not say where to look.
std::string with_help(const CLI::App& program, const std::string& message) {
  const auto commands = program.get_subcommands();
  return message + " (h5bridge " + (commands.empty() ? "" : commands.front()->get_name() + " ") + "--help)";
}

// "help convert" is "convert --help".
std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + std::max(argc, 1));
  if (arguments.empty() || arguments.front() != "help") return arguments;
  arguments.erase(arguments.begin());
  if (arguments.size() < 2) arguments.push_back("--help");
  return arguments;
}

ExitStatus run(int argc, char** argv) {
  CLI::App program("Neural networks between PyTorch and Keras, both ways, without losing a bit.", "h5bridge");
  Action action;
  declare(program, action);
  ExitStatus status = ExitStatus::Done;
  try {
    std::vector<std::string> arguments = arguments_of(argc, argv);
    std::ranges::reverse(arguments);  // as CLI11 takes them
    program.parse(std::move(arguments));
    check_command(program);
    status = action();
  } catch (const CLI::ParseError& error) {
    // Help and version are errors to CLI11, too.
    if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::Success)) {
      check_options(program);
      throw UsageError(with_help(program, error.what()));
    }
    program.exit(error);
  }
  finish_output();
  return status;
}

int fail(ExitStatus status, const char* message) {
  print_error(status, message);
  return static_cast<int>(status);
}

int run_or_fail(int argc, char** argv) {
  try {
    return static_cast<int>(run(argc, argv));
  } catch (const Error& error) {
    return fail(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitStatus::System, "out of memory");
  } catch (const std::exception& error) {
    return fail(ExitStatus::System, SystemFailure(std::string("internal error: ") + error.what()).what());
  }
}

}  // namespace
}  // namespace h5bridge::cli

int main(int argc, char** argv) {
  using namespace h5bridge;
  if (std::ranges::count(argv, argv + argc, std::string_view("--json")) > 0) cli::print_errors_as_json();
  cli::clean_up_when_interrupted();
  const int status = cli::run_or_fail(argc, argv);
  // All is written. LibTorch takes itself apart for longer than a small network takes to run, or is still being loaded.
  if (is_torch_asked_for()) {
    std::cout.flush();
    std::fflush(nullptr);
    std::_Exit(status);
  }
  return status;
}
