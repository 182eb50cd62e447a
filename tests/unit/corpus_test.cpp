// Files that once made a reader fail otherwise than by an error of ours, and small files of every kind: whichever
// reader gets one, it reads or refuses it. tools/fuzz looks for more of them.
#include <catch2/catch.hpp>
#include <filesystem>

#include "fuzz/readers.h"
#include "h5bridge/byte_source.h"
#include "paths.h"

using namespace h5bridge;

namespace {

constexpr std::uintmax_t kSmall = 12'000;  // bytes: larger files have small ones of their kind beside them

void feed(const fuzz::Reader& reader, const std::string& name, const std::vector<std::byte>& bytes) {
  INFO(reader.name << ": " << name);
  CHECK_NOTHROW(reader.run(bytes));
}

}  // namespace

TEST_CASE("every reader reads or refuses every file of the corpus", "[corpus]") {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SOURCE_ROOT "/tests/fuzz/corpus")) {
    if (!entry.is_regular_file()) continue;
    const std::vector<std::byte> bytes = read_all(*open_file(entry.path()));
    for (const fuzz::Reader& reader : fuzz::readers()) feed(reader, entry.path().filename(), bytes);
  }
}

TEST_CASE("every reader takes its seeds, and each of their beginnings", "[corpus]") {
  for (const fuzz::Reader& reader : fuzz::readers()) {
    int number = 0;
    for (std::vector<std::byte> seed : fuzz::seeds_of(reader)) {
      if (seed.size() > kSmall) continue;
      feed(reader, "seed " + std::to_string(number), seed);
      for (int cut = 0; cut < 6; ++cut) {
        seed.resize(seed.size() - seed.size() / 5);
        feed(reader, "seed " + std::to_string(number) + ", cut off", seed);
      }
      ++number;
    }
  }
}
