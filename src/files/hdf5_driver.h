// What our virtual file drivers of HDF5 have in common.
#pragma once

#include "files/hdf5_library.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <functional>
#include <limits>
#include <memory>

namespace h5bridge::hdf5 {

/// Runs `work` in a callback of the library's. Nothing may be thrown through that: what is, is kept for whoever called
/// it.
template <typename Work>
herr_t guarded(Work&& work) noexcept {
  try {
    work();
    return 0;
  } catch (...) {
    keep_error(std::current_exception());
    return -1;
  }
}

/// What the library keeps of an open file: its own part first.
struct DriverFile : H5FD_t {
  DriverFile() : H5FD_t{} {}
  haddr_t end_of_addresses = 0;  // of what the library says is its format's
};

/// A driver of `File`s, which are DriverFiles, with the functions that all have. `number`: from 512 on they are
/// registered with nobody.
template <typename File>
H5FD_class_t driver_class(const char* name, [[maybe_unused]] int number) {
  H5FD_class_t result{};
#if H5_VERSION_GE(1, 13, 0)
  result.version = H5FD_CLASS_VERSION;
  result.value = static_cast<H5FD_class_value_t>(number);
#endif
  result.name = name;
  result.maxaddr = std::numeric_limits<std::int64_t>::max();
  result.fc_degree = H5F_CLOSE_WEAK;
  result.close = [](H5FD_t* file) {
    const std::unique_ptr<File> closed(static_cast<File*>(file));
    return herr_t{0};
  };
  result.get_eoa = [](const H5FD_t* file, H5FD_mem_t) { return static_cast<const File*>(file)->end_of_addresses; };
  result.set_eoa = [](H5FD_t* file, H5FD_mem_t, haddr_t end) {
    static_cast<File*>(file)->end_of_addresses = end;
    return herr_t{0};
  };
  // Two openings are two files, be their bytes the same or not.
  result.cmp = [](const H5FD_t* a, const H5FD_t* b) { return std::less<>()(a, b) ? -1 : a == b ? 0 : 1; };
  return result;
}

}  // namespace h5bridge::hdf5
