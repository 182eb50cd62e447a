// The calls that the documentation shows compile as it shows them.
#include <catch2/catch.hpp>
#include <filesystem>

#include "h5bridge/h5bridge.h"
#include "temporary_folder.h"

using namespace h5bridge;

TEST_CASE("files are named by literals, strings and paths, one or several", "[interface]") {
  const TemporaryFolder folder;
  const std::string one = folder / "model.json";
  CHECK_THROWS_AS(load("missing.json"), SystemFailure);
  CHECK_THROWS_AS(load({"missing.json"}), SystemFailure);
  CHECK_THROWS_AS(load({"missing.json", "missing.pth"}), SystemFailure);
  CHECK_THROWS_AS(load(one), SystemFailure);
  CHECK_THROWS_AS(load(std::filesystem::path(one)), SystemFailure);
  CHECK_THROWS_AS(load({"missing.json", one.c_str()}, {.key = "ema"}), SystemFailure);

  const Model model = load({TESTDATA "/my_model/model.json", TESTDATA "/my_model/model.pth"});
  save(model, one);
  save(model, std::filesystem::path(one));
  save(model, {one, folder / "model.h5"}, {.data_format = DataFormat::ChannelsFirst});
  CHECK(load(one).architecture == model.architecture);
  CHECK_THROWS_AS(save(model, "model.unknown"), UsageError);
}
