// What reads a stranger's bytes, each by a name: libFuzzer feeds them one at a time (tools/fuzz), the ordinary tests
// feed them every file that was ever of interest (tests/unit/corpus_test.cpp).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace h5bridge::fuzz {

struct Reader {
  std::string name;
  /// Reads and uses the bytes as far as a user's command would. Only what is wrong with h5bridge itself leaves it.
  std::function<void(std::span<const std::byte>)> run;
  std::vector<std::string>
      seeds;  // files and folders in testdata/, or what is in their archives: "model.pt2:model.json"
};

const std::vector<Reader>& readers();

/// The seeds of a reader, read.
std::vector<std::vector<std::byte>> seeds_of(const Reader& reader);

}  // namespace h5bridge::fuzz
