// What a stranger's description may ask for is bounded before memory is.
#include <catch2/catch.hpp>

#include "facets/registry.h"
#include "h5bridge/error.h"

namespace h5bridge::testing {

TEST_CASE("an axis is not cut into any number of parts") {
  const auto cut = [](const std::string& name, const Json::Object& attributes, const Size& extent) {
    const LayerType& type = *Registry::instance().find(name);
    return type.shapes(attributes_from_json(type, attributes, name), {{Size::symbol("batch"), extent}}).size();
  };
  const Size endless(std::int64_t{1} << 40);
  CHECK_THROWS_AS(cut("chunk", {{"chunks", std::int64_t{1} << 30}, {"dim", 1}}, endless), MalformedFile);
  CHECK_THROWS_AS(cut("chunk", {{"chunks", std::int64_t{1} << 30}, {"dim", 1}}, Size::symbol("length")), MalformedFile);
  CHECK_THROWS_AS(cut("split", {{"split_size", 1}, {"dim", 1}}, endless), MalformedFile);
  CHECK_THROWS_AS(cut("tensor_split", {{"sections", std::int64_t{1} << 30}, {"dim", 1}}, endless), MalformedFile);
  CHECK_THROWS_AS(cut("unbind", {{"dim", 1}}, endless), MalformedFile);
  CHECK(cut("chunk", {{"chunks", std::int64_t{1} << 30}, {"dim", 1}}, 3) == 3);
  CHECK(cut("unbind", {{"dim", 1}}, 5000) == 5000);
}

}  // namespace h5bridge::testing
