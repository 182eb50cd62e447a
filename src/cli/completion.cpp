// h5bridge completion bash|zsh|fish|man: made of the commands and options themselves, so that nothing is said twice.
#include "cli/completion.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/examples.h"
#include "convert/formats/format.h"
#include "h5bridge/error.h"
#include "model/did_you_mean.h"
#include "model/quoted.h"

namespace h5bridge::cli {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& program) {
  return program.get_subcommands([](const CLI::App*) { return true; });
}

// Those that are in the help.
std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  return command.get_options(
      [](const CLI::Option* option) { return !option->get_group().empty() && !option->get_lnames().empty(); });
}

std::vector<std::string> spellings_of(const CLI::Option& option) {
  std::vector<std::string> result;
  for (const std::string& name : option.get_snames()) result.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) result.push_back("--" + name);
  return result;
}

bool takes_argument(const CLI::Option& option) {
  return option.get_type_size_max() > 0 && option.get_items_expected_max() > 0;
}

// What an argument may be, where its type lists the words ("channels_first|channels_last") or is one of the program's
// own.
std::vector<std::string> words_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type == "FORMAT") return destination_names();
  if (type == "DEVICE") return {"cpu", "cuda", "cuda:0"};
  if (type.find('|') == std::string::npos) return {};
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= type.size();) {
    const std::size_t end = std::min(type.find('|', begin), type.size());
    words.push_back(type.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

// What a command's own arguments may be, where they are no files.
std::vector<std::string> words_of_arguments(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options([](const CLI::Option* o) { return o->get_positional(); }))
    if (auto words = words_of(*option); !words.empty()) return words;
  return {};
}

std::string single_quoted(const std::string& text) {
  std::string result = "'";
  for (const char letter : text) result += letter == '\'' ? "'\\''" : std::string(1, letter);
  return result + "'";
}

std::string names_of(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands) names.push_back(command->get_name());
  return joined(names, " ");
}

std::string for_bash(const CLI::App& program) {
  std::string options, words;
  for (const CLI::App* command : commands_of(program)) {
    std::vector<std::string> all;
    if (const auto values = words_of_arguments(*command); !values.empty())
      words += "    " + command->get_name() + ":" + command->get_name() + ") COMPREPLY=($(compgen -W '" +
               joined(values, " ") + "' -- \"$word\")); return ;;\n";
    for (const CLI::Option* option : options_of(*command)) {
      const std::vector<std::string> spellings = spellings_of(*option);
      all.insert(all.end(), spellings.begin(), spellings.end());
      if (const auto values = words_of(*option); !values.empty())
        words += "    " + command->get_name() + ":" + joined(spellings, "|" + command->get_name() + ":") +
                 ") COMPREPLY=($(compgen -W '" + joined(values, " ") + "' -- \"$word\")); return ;;\n";
    }
    options += "      " + command->get_name() + ") options='" + joined(all, " ") + "' ;;\n";
  }
  return "_h5bridge() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} options=\n"
         "  if ((COMP_CWORD == 1)); then\n"
         "    COMPREPLY=($(compgen -W '" +
         names_of(commands_of(program)) +
         " --help --version' -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case $command:$before in\n" +
         words +
         "  esac\n"
         "  if [[ $word == -* ]]; then\n"
         "    case $command in\n" +
         options +
         "    esac\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  COMPREPLY=($(compgen -f -- \"$word\"))\n"
         "}\n"
         "complete -o filenames -F _h5bridge h5bridge\n";
}

// In zsh's specifications ':' and brackets part things.
std::string zsh_text(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') result += '\\';
    result += letter;
  }
  return result;
}

std::string for_zsh(const CLI::App& program) {
  std::string commands, cases;
  for (const CLI::App* command : commands_of(program)) {
    commands += "    " + single_quoted(zsh_text(command->get_name()) + ":" + command->get_description()) + "\n";
    cases += "    " + command->get_name() + ")\n      _arguments -S";
    for (const CLI::Option* option : options_of(*command))
      for (const std::string& spelling : spellings_of(*option)) {
        const auto words = words_of(*option);
        const std::string argument = !takes_argument(*option) ? ""
                                     : words.empty()          ? ":" + zsh_text(option->get_type_name()) + ":_files"
                                                              : ":word:(" + joined(words, " ") + ")";
        cases += " \\\n        " +
                 single_quoted("*" + spelling + "[" + zsh_text(option->get_description()) + "]" + argument);
      }
    const auto arguments = words_of_arguments(*command);
    cases += arguments.empty() ? " \\\n        '*:file:_files' ;;\n"
                               : " \\\n        '*:word:(" + joined(arguments, " ") + ")' ;;\n";
  }
  return "#compdef h5bridge\n"
         "local -a commands\n"
         "commands=(\n" +
         commands +
         "  )\n"
         "if ((CURRENT == 2)); then\n"
         "  _describe command commands\n"
         "else\n"
         "  local command=$words[2]\n"
         "  shift words\n"
         "  ((CURRENT--))\n"
         "  case $command in\n" +
         cases +
         "  esac\n"
         "fi\n";
}

std::string for_fish(const CLI::App& program) {
  std::string result;
  const std::string no_command = "not __fish_seen_subcommand_from " + names_of(commands_of(program));
  for (const CLI::App* command : commands_of(program)) {
    result += "complete -c h5bridge -n " + single_quoted(no_command) + " -f -a " + command->get_name() + " -d " +
              single_quoted(command->get_description()) + "\n";
    if (const auto arguments = words_of_arguments(*command); !arguments.empty())
      result += "complete -c h5bridge -n " + single_quoted("__fish_seen_subcommand_from " + command->get_name()) +
                " -f -a " + single_quoted(joined(arguments, " ")) + "\n";
    for (const CLI::Option* option : options_of(*command)) {
      result += "complete -c h5bridge -n " + single_quoted("__fish_seen_subcommand_from " + command->get_name());
      for (const std::string& name : option->get_snames()) result += " -s " + name;
      for (const std::string& name : option->get_lnames()) result += " -l " + name;
      const auto words = words_of(*option);
      if (!words.empty())
        result += " -x -a " + single_quoted(joined(words, " "));
      else if (takes_argument(*option))
        result += " -r";
      result += " -d " + single_quoted(option->get_description()) + "\n";
    }
  }
  return result;
}

// A line that begins with a dot or an apostrophe would be one of roff's own.
std::string roff(const std::string& text) {
  std::string result = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (const char letter : text) result += letter == '\\' ? "\\e" : letter == '-' ? "\\-" : std::string(1, letter);
  return result;
}

std::string as_man_page(const CLI::App& program) {
  std::string page = ".TH H5BRIDGE 1 \"\" \"h5bridge " + std::string(version()) + "\"\n.SH NAME\nh5bridge \\- " +
                     roff(program.get_description()) + "\n.SH SYNOPSIS\n.B h5bridge\n.I COMMAND\n[...]\n.SH COMMANDS\n";
  for (const CLI::App* command : commands_of(program))
    page += ".TP\n.B " + roff(command->get_name()) + "\n" + roff(command->get_description()) + "\n";
  for (const CLI::App* command : commands_of(program)) {
    page += ".SH \"OPTIONS OF " + roff(command->get_name()) + "\"\n";
    for (const CLI::Option* option : options_of(*command))
      page += ".TP\n.B " + roff(joined(spellings_of(*option))) +
              (takes_argument(*option) ? " " + roff(option->get_type_name()) : "") + "\n" +
              roff(option->get_description()) + "\n";
  }
  page += ".SH EXAMPLES\n";
  for (const CLI::App* command : commands_of(program))
    for (const auto& [what, line] : examples_of(command->get_name()))
      page += ".TP\n.B " + roff(line) + "\n" + roff(what) + "\n";
  page += ".SH \"EXIT STATUS\"\n";
  for (const auto& [status, meaning] : std::map<int, std::string>{
           {0, "done; for verify, compare, validate: agrees"},
           {1, "verify, compare, validate, --check: does not agree"},
           {2, "wrong usage"},
           {3, "a source is malformed, truncated or unsafe, or its tensors do not fit its architecture"},
           {4, "a source is well formed but holds something that has no equivalent"},
           {5, "the system said no: no such file, no permission, disk full, no such device"}})
    page += ".TP\n.B " + std::to_string(status) + "\n" + roff(meaning) + "\n";
  return page;
}

using Script = std::string (*)(const CLI::App&);

const std::map<std::string, Script>& scripts() {
  static const std::map<std::string, Script> table{
      {"bash", for_bash}, {"zsh", for_zsh}, {"fish", for_fish}, {"man", as_man_page}};
  return table;
}

}  // namespace

std::string completion_script(const CLI::App& program, const std::string& shell) {
  return scripts().at(shell)(program);
}

void add_completion(CLI::App& program, Action& action) {
  CLI::App* command =
      program.add_subcommand("completion", "print a script that completes commands in a shell, or the man page");
  command->footer(examples_text("completion"));
  auto shell = std::make_shared<std::string>();
  std::vector<std::string> known;
  for (const auto& [name, script] : scripts()) known.push_back(name);
  command->add_option("SHELL", *shell, joined(known, ", "))->required()->type_name(joined(known, "|"));
  command->set_version_flag("--version", "h5bridge " + std::string(version()), "print the version and leave");
  command->callback([&program, &action, shell, known] {
    if (!scripts().contains(*shell))
      throw UsageError("completion " + *shell + ": expected " + joined(known, ", ") + did_you_mean(*shell, known));
    action = [&program, shell] {
      std::cout << completion_script(program, *shell);
      return ExitStatus::Done;
    };
  });
}

}  // namespace h5bridge::cli
