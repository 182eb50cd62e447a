// One page that shows a model in any browser, and asks no network for anything.
#pragma once

#include <ostream>

#include "h5bridge/model.h"

namespace h5bridge {

/// Graph, settings, shapes and, where the model has weights, what these are like. Names are a stranger's: the page has
/// them as data, and shows them as text. Throws as picture_of does.
void write_html(const Model& model, std::ostream& out);

}  // namespace h5bridge
