// Two architectures of what should be one network: one that is given beside a Keras file which has one of its own, or
// any two.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "convert/keras_import.h"
#include "passes/network_difference.h"

namespace h5bridge {

/// In what the network of `file`, already in the form of Keras 3 and with the layers `stated` ("here"), and the one
/// given beside it ("there") differ; nothing where the file has weights alone. Throws Unsupported where Keras cannot
/// say the one that is given.
std::vector<NetworkDifference> differences_beside_file(const KerasFile& file, const KerasModel& stated,
                                                       const Architecture& given);

/// In what Keras's configuration ("here"), which another program has edited, differs from the architecture that
/// h5bridge left in the file ("there").
std::vector<NetworkDifference> differences_by_edits(const KerasFile& file, const KerasModel& stated);

/// The one data format in which the network given beside a Keras file is that file's, where no layer there says it by
/// itself; nullopt where both are, or none.
std::optional<DataFormat> format_by_layers(const KerasFile& file, const Architecture& given);

/// In what two networks differ, `here` being the second; nothing where they are the same to the letter. Both are
/// compared as Keras has them, whose names layers have then: throws Unsupported where it cannot say one.
std::vector<NetworkDifference> network_differences_of(const Architecture& there, const Architecture& here,
                                                      const NetworkNames& names);

}  // namespace h5bridge
