// testdata/golden/: what version 0.1.0 wrote is read for ever, and what is written from it now is what was written
// then.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "convert/architecture_json.h"
#include "convert/model_check.h"
#include "h5bridge/h5bridge.h"
#include "paths.h"
#include "temporary_folder.h"
#include "unit/h5_differences.h"

namespace h5bridge::testing {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string joined(const std::vector<std::string>& lines) {
  std::string result;
  for (const std::string& line : lines) result += "\n" + line;
  return result;
}

std::vector<fs::path> golden_folders() {
  std::vector<fs::path> result;
  for (const auto& entry : fs::directory_iterator(TESTDATA "/golden"))
    if (entry.is_directory()) result.push_back(entry.path());
  return result;
}

/// Every way to have the model: PyTorch's two files, the one that was made of them, Keras's own.
std::vector<std::vector<std::string>> sources_in(const fs::path& folder) {
  std::vector<std::vector<std::string>> result{{folder / "model.json", folder / "model.pth"}, {folder / "model.h5"}};
  if (fs::exists(folder / "source.h5")) result.push_back({folder / "source.h5"});
  return result;
}

template <typename Visit>
void for_each_golden(Visit&& visit) {
  for (const fs::path& folder : golden_folders())
    for (const std::vector<std::string>& sources : sources_in(folder)) {
      INFO(folder.filename().string() << " from " << fs::path(sources.back()).filename().string());
      try {
        visit(folder, sources);
      } catch (const std::exception& error) {
        FAIL_CHECK(error.what());
      }
    }
}

// Groups and state, but for the groups' member "keras".
void check_same_optimizer(const Optimizer& found, const Optimizer& expected) {
  CHECK(found.kind == expected.kind);
  REQUIRE(found.groups.size() == expected.groups.size());
  for (std::size_t i = 0; i < found.groups.size(); ++i) {
    Json::Object group = found.groups[i];
    CHECK(group.erase("keras"));
    CHECK(group == expected.groups[i]);
  }
  REQUIRE(found.slots.size() == expected.slots.size());
  for (const auto& [parameter, slots] : expected.slots) {
    INFO(parameter);
    const std::vector<NamedTensor>& own = found.slots.at(parameter);
    CHECK(std::ranges::equal(own, slots, [](const NamedTensor& a, const NamedTensor& b) {
      return a.name == b.name && bit_equal(a.tensor, b.tensor);
    }));
  }
}

}  // namespace

TEST_CASE("the architectures of version 0.1.0 are read and written as they were", "[golden]") {
  CHECK(golden_folders().size() >= 7);
  const TemporaryFolder out;
  for_each_golden([&](const fs::path& folder, const std::vector<std::string>& sources) {
    save(load(sources), out / "model.json");
    const std::string found = text_of(out / "model.json");
    const std::string expected = text_of(folder / "model.json");
    INFO(joined(json_differences(Json::parse(found), Json::parse(expected))));
    CHECK(found == expected);
    // Version 1 says all that these need.
    CHECK(Json::parse(found).at("h5bridge") == Json(1));
    const Architecture read = architecture_from_json(Json::parse(expected));
    CHECK(architecture_from_json(architecture_to_json(read)) == read);
  });
}

TEST_CASE("the state_dicts and checkpoints of version 0.1.0 are written as they were", "[golden]") {
  const TemporaryFolder out;
  for_each_golden([&](const fs::path& folder, const std::vector<std::string>& sources) {
    const Model expected = load((folder / "model.pth").string());
    save(load(sources), out / "model.pth", {.checkpoint = expected.training.has_value()});
    const Model found = load(out / "model.pth");
    REQUIRE(found.weights.size() == expected.weights.size());
    auto theirs = expected.weights.begin();
    for (const NamedTensor& tensor : found.weights) {
      INFO(tensor.name);
      CHECK(tensor.name == theirs->name);
      CHECK(bit_equal(tensor.tensor, theirs->tensor));
      ++theirs;
    }
    // Since then, what Keras alone has of an optimizer rides along in its groups.
    const bool is_of_keras = expected.training && found.training->optimizer->groups.at(0).contains("keras");
    if (is_of_keras) return check_same_optimizer(*found.training->optimizer, *expected.training->optimizer);
    const bool same_bytes = text_of(out / "model.pth") == text_of(folder / "model.pth");
    CHECK(same_bytes);
  });
}

TEST_CASE("the Keras files of version 0.1.0 are written as they were from the files for PyTorch", "[golden]") {
  const TemporaryFolder out;
  for_each_golden([&](const fs::path& folder, const std::vector<std::string>& sources) {
    if (sources.size() == 1) return;  // what is Keras's own is written otherwise when it stays Keras's
    save(load(sources), out / "model.h5");
    std::vector<std::string> differences = h5_differences(out / "model.h5", folder / "model.h5");
    // Digests are of another kind since then; those of the golden file still hold.
    std::erase_if(differences, [](const std::string& difference) {
      return difference.find("/digests/") != std::string::npos && difference.find("\"xxh3:") != std::string::npos;
    });
    // So are the element types of what operations give: they are stated as Keras does in source.h5.
    std::erase_if(differences, [](const std::string& difference) {
      return difference.find("/inbound_nodes/") != std::string::npos &&
             difference.ends_with("/config/dtype: \"bool\", expected \"float32\"");
    });
    // And a digest of Keras's configuration stands beside the architecture: whoever edits one of them is found out.
    std::erase_if(differences, [](const std::string& difference) {
      return difference.find("h5bridge@metadata/configuration: \"xxh3:") != std::string::npos;
    });
    CHECK(changed_tensors(load((folder / "model.h5").string())).empty());
    CHECK(changed_tensors(load(out / "model.h5")).empty());
    INFO(joined(differences));
    CHECK(differences.empty());
  });
}

TEST_CASE("a golden file that is changed is found out", "[golden]") {
  const fs::path folder = fs::path(TESTDATA) / "golden" / "recurrent";
  const TemporaryFolder out;
  Model model = load((folder / "model.h5").string());
  std::vector<std::byte> bytes = model.weights.find("head.bias")->read();
  bytes[0] ^= std::byte{1};
  model.weights.set("head.bias", Tensor(DType::Float32, {2}, bytes_in_memory(bytes)));
  model.architecture->name = "Other";
  save(model, out / "model.h5");
  const std::string found = joined(h5_differences(out / "model.h5", folder / "model.h5"));
  CHECK_THAT(found, Catch::Contains("model_weights/head/head/bias: float32 (2), byte 0 and maybe more differ"));
  CHECK_THAT(found, Catch::Contains("h5bridge@metadata/architecture/name: \"Other\", expected \"Recurrent\""));
  CHECK_THAT(joined(json_differences(Json::parse(R"({"a": 1, "b": [2]})"), Json::parse(R"({"b": [3], "c": 1.0})"))),
             Catch::Equals("\n/b/0: 2, expected 3\n/c: is missing, expected 1.0\n/a: 1, which is not expected"));
}

}  // namespace h5bridge::testing
