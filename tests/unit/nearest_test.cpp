// Names that were meant.
#include <catch2/catch.hpp>
#include <fstream>

#include "model/did_you_mean.h"
#include "temporary_folder.h"

using namespace h5bridge;

TEST_CASE("the nearest name is named, if one is near", "[nearest]") {
  const std::vector<std::string> commands{"convert", "inspect", "validate", "verify"};
  CHECK(did_you_mean("conver", commands) == "; did you mean convert?");
  CHECK(did_you_mean("covnert", commands) == "; did you mean convert?");
  CHECK(did_you_mean("verfy", commands) == "; did you mean verify?");
  CHECK(did_you_mean("delete", commands).empty());
  CHECK(did_you_mean("--data-f", {"--data-formats", "--data-format", "--dtype"}) == "; did you mean --data-format?");
  CHECK(did_you_mean("val", commands).empty());
  CHECK(did_you_mean("x", commands).empty());
  CHECK(did_you_mean("", commands).empty());
  CHECK(did_you_mean("convert", {}).empty());
  CHECK(did_you_mean(std::string(1'000'000, 'x'), commands).empty());
}

TEST_CASE("of a file that is not there, its neighbour is named", "[nearest]") {
  const TemporaryFolder folder;
  std::ofstream(folder / "lenet.pth") << "x";
  CHECK(did_you_mean_file(folder / "lenet.pt") == "; did you mean lenet.pth?");
  CHECK(did_you_mean_file(folder / "resnet50.h5").empty());
  CHECK(did_you_mean_file((folder / "none") + "/lenet.pth").empty());
}
