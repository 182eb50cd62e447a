// What is handed to a model against what it takes.
#pragma once

#include <vector>

#include "passes/presentation.h"

namespace h5bridge {

/// Throws UsageError for a shape that is not its port's: another rank, another size, or another one than an equal
/// symbol stands for. `shapes` are in the order of `ports`.
void check_shapes(const std::vector<Presentation::Port>& ports, const std::vector<Shape>& shapes);

/// "\"left\", \"right\"".
std::string listed(const std::vector<Presentation::Port>& ports);

/// The inputs in the order of `ports`, with their dtypes. Throws UsageError for one that is missing, unknown or given
/// twice, has another rank or other sizes (equal symbols stand for equal sizes), or a dtype that does not convert
/// without loss of meaning: floating-point numbers and integers each convert among themselves, integers to wider ones
/// only. A model of Keras's takes integers for any numbers, as Keras casts them to what its Input says, if none is
/// lost.
std::vector<Tensor> checked_inputs(const std::vector<Presentation::Port>& ports, const std::vector<NamedTensor>& given,
                                   Framework framework = Framework::Torch);

}  // namespace h5bridge
