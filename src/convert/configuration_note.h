// Whether the configuration of a Keras file of ours is still the one that its architecture was written as: people edit
// such files, and Keras goes by the configuration.
#pragma once

#include "files/keras_file.h"

namespace h5bridge {

/// Notes the digest of the configuration of a file that is to be written, where it has an architecture of ours beside
/// it.
void note_configuration(KerasFile& file);
/// Whether another program has changed the configuration since. Nothing tells in files of version 0.1 and before.
bool has_changed_configuration(const KerasFile& file);

}  // namespace h5bridge
