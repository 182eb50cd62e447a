// How a model is drawn: boxes, groups, and a stranger's names.
#include "picture/picture.h"

#include <catch2/catch.hpp>
#include <limits>
#include <sstream>

#include "convert/architecture_json.h"
#include "h5bridge/error.h"
#include "picture/dot.h"
#include "picture/groups.h"
#include "picture/html_page.h"
#include "picture/tensor_statistics.h"

using namespace h5bridge;

namespace {

// A block of two layers with a function between them, and what adds its input to it.
constexpr const char* kBlocks = R"({
  "h5bridge": 1, "name": "Blocks", "inputs": [{"name": "x", "shape": ["batch", 3]}],
  "layers": [
    {"name": "stem", "type": "Linear", "attributes": {"in_features": 3, "out_features": 3}},
    {"name": "block.0.a", "type": "Linear", "attributes": {"in_features": 3, "out_features": 3}},
    {"name": "relu", "type": "ReLU"},
    {"name": "block.0.b", "type": "Linear", "attributes": {"in_features": 3, "out_features": 3}},
    {"name": "add", "type": "add", "inputs": ["block.0.b", "stem"]},
    {"name": "alone.a", "type": "Linear", "attributes": {"in_features": 3, "out_features": 3}}
  ], "outputs": ["alone.a"]})";

// Two blocks that add their input to what they make of it; the first goes on with a layer of its own.
constexpr const char* kResidual = R"({
  "h5bridge": 1, "name": "Residual", "inputs": [{"name": "x", "shape": ["batch", 3]}],
  "layers": [
    {"name": "block.0.a", "type": "Linear", "attributes": {"in_features": 3, "out_features": 3}},
    {"name": "add", "type": "add", "inputs": ["block.0.a", "x"]},
    {"name": "block.0.b", "type": "Linear", "attributes": {"in_features": 3, "out_features": 3}},
    {"name": "block.1.a", "type": "Linear", "attributes": {"in_features": 3, "out_features": 3}},
    {"name": "add_1", "type": "add", "inputs": ["block.1.a", "block.0.b"]}
  ], "outputs": ["add_1"]})";

Model model_of(const std::string& json) {
  Model model;
  model.architecture = architecture_from_json(Json::parse(json));
  return model;
}

bool keeps_shape(const Node& node) { return node.values().size() == 1; }

std::string html_of(const Model& model) {
  std::ostringstream out;
  write_html(model, out);
  return out.str();
}

}  // namespace

TEST_CASE("modules are groups, and a function is where its neighbours are", "[picture]") {
  const NodeGroups groups = groups_of(*model_of(kBlocks).architecture, keeps_shape);
  CHECK(groups.names == std::vector<std::string>{"block", "block.0"});
  CHECK(groups.parents == std::vector<std::optional<std::size_t>>{std::nullopt, 0});
  const std::optional<std::size_t> none;
  CHECK(groups.of_nodes == std::vector<std::optional<std::size_t>>{none, 1, 1, 1, 1, none});
}

TEST_CASE("the sum of a residual block is in it", "[picture]") {
  const NodeGroups groups = groups_of(*model_of(kResidual).architecture, keeps_shape);
  CHECK(groups.names == std::vector<std::string>{"block", "block.0", "block.1"});
  CHECK(groups.of_nodes == std::vector<std::optional<std::size_t>>{1, 1, 1, 2, 2});
}

TEST_CASE("a picture has a box for each call, and arrows between them", "[picture]") {
  const Picture picture = picture_of(model_of(kBlocks));
  REQUIRE(picture.boxes.size() == 8);
  CHECK(picture.boxes[0].kind == Picture::Kind::Input);
  CHECK(picture.boxes[1].kind == Picture::Kind::Weighted);
  CHECK(picture.boxes[1].parameters == 12);
  CHECK(picture.boxes[3].kind == Picture::Kind::Elementwise);
  CHECK(picture.boxes[5].kind == Picture::Kind::Joining);
  CHECK(picture.boxes[7].kind == Picture::Kind::Output);
  CHECK(picture.boxes[1].shape_lines() == std::vector<std::string>{"(batch, 3)"});
  CHECK(picture.arrows.size() == 8);
  CHECK_THROWS_AS(picture_of(Model()), UsageError);
}

TEST_CASE("names in a picture are on one line and of bounded length", "[picture]") {
  CHECK(shown_name("a\nb\x1b") == "a\\x0ab\\x1b");
  CHECK(shown_name(std::string(100'000, 'x')).size() < 300);
  CHECK(shown_name("\xff") == "\\xff");
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1234567) == "1,234,567");
}

TEST_CASE("Graphviz and browsers take names as text", "[picture]") {
  const Model model = model_of(R"({"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 3]}],
    "layers": [{"name": "<b>&\"</script><!--\\N", "type": "ReLU"}], "outputs": ["<b>&\"</script><!--\\N"]})");
  const std::string dot = to_dot(picture_of(model));
  CHECK(dot.find("&lt;b&gt;&amp;&quot;&lt;/script&gt;") != std::string::npos);
  CHECK(dot.find("</script>") == std::string::npos);
  CHECK(dot.find("--\\\\N") != std::string::npos);  // which would be the box's name
  const std::string html = html_of(model);
  CHECK(html.find("\\u003cb>&\\\"\\u003c/script>\\u003c!--") != std::string::npos);
  CHECK(html.find("<!--") == std::string::npos);
  CHECK(html.find('@') == html.find("@media"));  // all parts are in their places
}

TEST_CASE("statistics pass by what is not finite", "[picture]") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kMost = std::numeric_limits<float>::max();
  const TensorStatistics some = statistics_of(tensor_of<float>(DType::Float32, {5}, {0, kNan, 3, 4, -1}));
  CHECK(some.not_finite == 1);
  CHECK(some.zeros == 1);
  CHECK(some.least == -1);
  CHECK(some.most == 4);
  CHECK(some.mean == 1.5);
  CHECK(some.norm == Approx(5.0990195));
  CHECK(some.histogram.front() == 1);
  CHECK(some.histogram.back() == 1);
  const TensorStatistics wide = statistics_of(tensor_of<float>(DType::Float32, {2}, {-kMost, kMost}));
  CHECK(wide.histogram.front() == 1);
  CHECK(wide.histogram.back() == 1);
  CHECK(statistics_of(tensor_of<float>(DType::Float32, {0}, {})).histogram.empty());
  CHECK(statistics_of(tensor_of<float>(DType::Float32, {1}, {kNan})).histogram.empty());
  const std::vector<std::int64_t> alike(7, 2);
  const TensorStatistics equal = statistics_of(tensor_of(DType::Int64, {7}, alike));
  CHECK(equal.deviation == 0);
  CHECK(equal.histogram[20] == 7);
}
