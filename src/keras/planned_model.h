// A Keras model that is being planned.
#pragma once

#include <string>
#include <vector>

#include "keras/tree.h"

namespace h5bridge {

/// Puts the layers in the order in which Keras has them, and those of the models within; gives each a name that no
/// other of its model has. A .h5 file's weights have to stand in that order.
void settle(KerasModel& model);

/// What the paths of variables in the last of these begin with, each of which is in the one before it. A Sequential
/// model builds its layers, which have its name before theirs; a wrapper builds its layer where it is itself built.
std::string variable_path(const std::vector<const KerasModel*>& within);

}  // namespace h5bridge
