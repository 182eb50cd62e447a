#include "files/hdf5_source.h"

#include <algorithm>
#include <memory>
#include <span>

#include "files/hdf5_driver.h"
#include "model/work_counts.h"

namespace h5bridge::hdf5 {
namespace {

struct SourceFile : DriverFile {
  explicit SourceFile(ByteSourcePtr bytes) : source(std::move(bytes)) {}
  ByteSourcePtr source;
};

const SourceFile* of(const H5FD_t* file) { return static_cast<const SourceFile*>(file); }

// Set with the driver on the list of properties that a file is opened with.
struct Settings {
  const ByteSourcePtr* source;
};

H5FD_t* open_file(const char*, unsigned flags, hid_t properties, haddr_t) {
  const auto* settings = static_cast<const Settings*>(H5Pget_driver_info(properties));
  if (settings == nullptr || (flags & (H5F_ACC_RDWR | H5F_ACC_TRUNC | H5F_ACC_CREAT)) != 0) return nullptr;
  H5FD_t* opened = nullptr;
  guarded([&] { opened = std::make_unique<SourceFile>(*settings->source).release(); });
  return opened;
}

// As of a file that is read: metadata goes through a buffer, and small pieces of data, too.
herr_t query_features(const H5FD_t*, unsigned long* features) {
  if (features != nullptr) *features = H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE;
  return 0;
}

haddr_t end_of_bytes(const H5FD_t* file, H5FD_mem_t) { return of(file)->source->size(); }

// Behind the end are zeros, as for the library's own drivers: it may ask for more than a small file has.
herr_t read_bytes(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* into) {
  return guarded([&] {
    const ByteSource& source = *of(file)->source;
    const std::span<std::byte> bytes(static_cast<std::byte*>(into), size);
    const std::uint64_t there = address < source.size() ? source.size() - address : 0;
    const std::span<std::byte> found = bytes.first(std::min<std::uint64_t>(size, there));
    source.read_at(std::min<std::uint64_t>(address, source.size()), found);
    std::ranges::fill(bytes.subspan(found.size()), std::byte{0});
  });
}

herr_t refuse_to_write(H5FD_t*, H5FD_mem_t, hid_t, haddr_t, std::size_t, const void*) { return -1; }

hid_t driver() {
  static const H5FD_class_t description = [] {
    H5FD_class_t result = driver_class<SourceFile>("h5bridge_source", 512);
    result.fapl_size = sizeof(Settings);
    result.open = open_file;
    result.query = query_features;
    result.get_eof = end_of_bytes;
    result.read = read_bytes;
    result.write = refuse_to_write;
    return result;
  }();
  static const hid_t id = checked<SystemFailure>(H5FDregister(&description), "registering an HDF5 driver");
  return id;
}

}  // namespace

Handle open_source(const ByteSourcePtr& source) {
  const Handle properties = checked_handle<SystemFailure>(H5Pcreate(H5P_FILE_ACCESS), "making an HDF5 property list");
  const Settings settings{&source};
  checked<SystemFailure>(H5Pset_driver(properties.id(), driver(), &settings), "setting an HDF5 driver");
  keep_little_metadata(properties.id());
  ++work().containers_opened;
  return checked_handle<MalformedFile>(H5Fopen("source", H5F_ACC_RDONLY, properties.id()), "not a readable HDF5 file");
}

}  // namespace h5bridge::hdf5
