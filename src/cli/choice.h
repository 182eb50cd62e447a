// Options whose argument is one of a few words.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/error.h"
#include "model/did_you_mean.h"

namespace h5bridge::cli {

/// An option whose argument is one of a table's words.
template <typename T>
void add_choice(CLI::App& command, const std::string& name, std::optional<T>& value,
                const std::map<std::string, T>& words, const std::string& description) {
  std::string known;
  for (const auto& [word, meaning] : words) known += (known.empty() ? "" : "|") + word;
  command
      .add_option_function<std::string>(
          name,
          [&value, &words, name, known](const std::string& word) {
            const auto found = words.find(word);
            if (found == words.end()) {
              std::vector<std::string> names;
              for (const auto& [each, meaning] : words) names.push_back(each);
              throw UsageError(name + " " + word + ": expected " + known + did_you_mean(word, names));
            }
            value = found->second;
          },
          description)
      ->type_name(known);
}

}  // namespace h5bridge::cli
