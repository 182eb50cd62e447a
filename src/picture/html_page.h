// One page that shows a model in any browser, and asks no network for anything.
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "h5bridge/model.h"

namespace h5bridge {

/// What a comparison with another model found, by which the graph is coloured.
struct PageComparison {
  struct Finding {
    bool agrees = true;
    std::string text;  // how far apart, and where first
  };

  std::string other;                       // what the other model is called
  std::map<std::string, Finding> tensors;  // by the names of the model that is shown
  std::map<std::string, Finding> outputs;  // of calls, by their names, where both models were run
  /// Of calls, what is set otherwise in the other model, and how.
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> settings;
  std::vector<std::string> differences;  // what belongs to no layer, a line each
};

/// Graph, settings, shapes and, where the model has weights, what these are like. Names are a stranger's: the page has
/// them as data, and shows them as text. Throws as picture_of does.
void write_html(const Model& model, std::ostream& out, const PageComparison* comparison = nullptr);

}  // namespace h5bridge
