// Byte sources: ranges, parts, files and their failures.
#include "h5bridge/byte_source.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>

#include "h5bridge/error.h"
#include "temporary_folder.h"

using namespace h5bridge;
using Catch::Matchers::Message;

namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> read(const ByteSource& source, std::uint64_t offset, std::size_t size) {
  std::vector<std::byte> bytes(size);
  source.read_at(offset, bytes);
  return bytes;
}

std::string written(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

}  // namespace

TEST_CASE("a source reads any range and nothing outside", "[byte_source]") {
  const TemporaryFolder folder;
  for (const ByteSourcePtr& source :
       {bytes_in_memory(bytes_of("0123456789")), open_file(written(folder / "digits", "0123456789")),
        part_of(bytes_in_memory(bytes_of("ab0123456789c")), 2, 10)}) {
    CHECK(source->size() == 10);
    CHECK(read(*source, 3, 4) == bytes_of("3456"));
    CHECK(read(*source, 10, 0).empty());
    CHECK(read_all(*source) == bytes_of("0123456789"));
    CHECK_THROWS_MATCHES(read(*source, 7, 4), MalformedFile,
                         Message("truncated: 4 bytes wanted at offset 7, but there are 10 in all"));
    CHECK_THROWS_MATCHES(read(*source, 11, 0), MalformedFile,
                         Message("truncated: 0 bytes wanted at offset 11, but there are 10 in all"));
    CHECK_THROWS_AS(read(*source, std::numeric_limits<std::uint64_t>::max(), 2), MalformedFile);
  }
}

TEST_CASE("a part keeps to the bytes of the whole", "[byte_source]") {
  const ByteSourcePtr whole = bytes_in_memory(bytes_of("0123456789"));
  CHECK(read_all(*part_of(part_of(whole, 2, 6), 1, 3)) == bytes_of("345"));
  CHECK_THROWS_MATCHES(part_of(whole, 8, 3), MalformedFile,
                       Message("truncated: 3 bytes wanted at offset 8, but there are 10 in all"));
  CHECK_THROWS_AS(part_of(whole, 2, std::numeric_limits<std::uint64_t>::max()), MalformedFile);
}

TEST_CASE("a file that is written again after it was opened is an error", "[byte_source]") {
  const TemporaryFolder folder;
  const std::string path = written(folder / "file", std::string(5000, 'x'));
  const auto before = std::filesystem::last_write_time(path) - std::chrono::seconds(5);
  std::filesystem::last_write_time(path, before);
  const ByteSourcePtr source = open_file(path);
  CHECK(read(*source, 0, 4000).size() == 4000);
  written(path, std::string(5000, 'y'));
  CHECK_THROWS_MATCHES(read(*source, 0, 10), MalformedFile,
                       Message(path + ": the file was written again since it was opened; load it anew"));
  std::filesystem::last_write_time(path, before);
  CHECK(read(*source, 0, 10).size() == 10);
  std::filesystem::resize_file(path, 4000);
  CHECK_THROWS_MATCHES(read(*source, 3000, 2000), MalformedFile,
                       Message(path + ": the file was written again since it was opened; load it anew"));
}

TEST_CASE("files that cannot be opened", "[byte_source]") {
  CHECK_THROWS_MATCHES(open_file("/nowhere/model.h5"), SystemFailure,
                       Message("/nowhere/model.h5: No such file or directory"));
  CHECK_THROWS_MATCHES(open_file("/"), SystemFailure, Message("/: is a directory"));
  CHECK_THROWS_MATCHES(open_file("/dev/null"), SystemFailure, Message("/dev/null: is not a regular file"));
}
