#include "files/hdf5_region.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "files/hdf5_driver.h"
#include "files/output_file.h"

namespace h5bridge::hdf5 {
namespace {

// Set with the driver on the list of properties that the file is made with.
struct RegionSettings {
  const std::string* path;
  std::uint64_t offset;
};

struct Region : DriverFile {
  Region(const std::string& path, std::uint64_t from) : file(path), offset(from) {}

  void resize(haddr_t size) {
    if (::ftruncate(file.descriptor(), static_cast<off_t>(offset + size)) != 0) throw_system("writing failed");
    end_of_bytes = size;
  }

  OutputFile file;
  std::uint64_t offset;
  haddr_t end_of_bytes = 0;
};

Region& region_of(H5FD_t* file) { return *static_cast<Region*>(file); }
const Region& region_of(const H5FD_t* file) { return *static_cast<const Region*>(file); }

H5FD_t* open_region(const char*, unsigned flags, hid_t properties, haddr_t) {
  const auto* settings = static_cast<const RegionSettings*>(H5Pget_driver_info(properties));
  if (settings == nullptr) return nullptr;
  H5FD_t* opened = nullptr;
  guarded([&] {
    auto region = std::make_unique<Region>(*settings->path, settings->offset);
    if ((flags & H5F_ACC_TRUNC) != 0) region->resize(0);
    opened = region.release();
  });
  return opened;
}

herr_t region_features(const H5FD_t*, unsigned long* features) {
  if (features != nullptr)
    *features = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
                H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

haddr_t region_end_of_bytes(const H5FD_t* file, H5FD_mem_t) { return region_of(file).end_of_bytes; }

herr_t read_region(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* into) {
  return guarded([&] {
    auto* next = static_cast<char*>(into);
    while (size > 0) {
      const ssize_t got =
          ::pread(region_of(file).file.descriptor(), next, size, static_cast<off_t>(region_of(file).offset + address));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_system("reading failed");
      if (got == 0) {  // behind the end are zeros
        std::fill_n(next, size, '\0');
        return;
      }
      next += got;
      size -= static_cast<std::size_t>(got);
      address += static_cast<haddr_t>(got);
    }
  });
}

herr_t write_region(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, const void* bytes) {
  return guarded([&] {
    Region& region = region_of(file);
    region.file.write({static_cast<const std::byte*>(bytes), size}, region.offset + address);
    region.end_of_bytes = std::max<haddr_t>(region.end_of_bytes, address + size);
  });
}

herr_t truncate_region(H5FD_t* file, hid_t, hbool_t) {
  Region& region = region_of(file);
  if (region.end_of_bytes == region.end_of_addresses) return 0;
  return guarded([&] { region.resize(region.end_of_addresses); });
}

hid_t region_driver() {
  static const H5FD_class_t description = [] {
    H5FD_class_t result = driver_class<Region>("h5bridge_region", 513);
    result.fapl_size = sizeof(RegionSettings);
    result.open = open_region;
    result.query = region_features;
    result.get_eof = region_end_of_bytes;
    result.read = read_region;
    result.write = write_region;
    result.truncate = truncate_region;
    return result;
  }();
  static const hid_t id = checked<SystemFailure>(H5FDregister(&description), "registering an HDF5 driver");
  return id;
}

}  // namespace

Handle create_region(const std::string& path, std::uint64_t offset, hid_t access) {
  const RegionSettings settings{&path, offset};
  checked<SystemFailure>(H5Pset_driver(access, region_driver(), &settings), "setting an HDF5 driver");
  return checked_handle<SystemFailure>(H5Fcreate("region", H5F_ACC_TRUNC, H5P_DEFAULT, access), "making an HDF5 file");
}

}  // namespace h5bridge::hdf5
