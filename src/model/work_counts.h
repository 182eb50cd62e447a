// How much was done, which tests compare for models of two sizes: work is counted there, never timed.
#pragma once

#include <cstdint>

namespace h5bridge {

struct Work {
  std::int64_t names_compared = 0;     // in looking for layers, nodes and inputs one by one
  std::int64_t hdf5_uses = 0;          // of the library, each with its lock
  std::int64_t models_planned = 0;     // for Keras, as if to be written
  std::int64_t calls_lowered = 0;      // of layers, in those plans
  std::int64_t containers_opened = 0;  // zip archives by their directory, HDF5 files, documents of JSON
  std::int64_t trees_parsed = 0;       // of configurations of Keras's
  std::int64_t rows_checked = 0;       // times that a split batch's rows were computed again, together
};

/// What this thread has done since it began.
Work& work();

}  // namespace h5bridge
