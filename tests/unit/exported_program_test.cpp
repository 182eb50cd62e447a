// Archives of torch.export.save: what torch wrote is the network of the files beside it, and what nobody wrote is
// refused.
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <sstream>

#include "facets/aten/row.h"
#include "facets/registry.h"
#include "files/pt2_archive.h"
#include "h5bridge/h5bridge.h"
#include "paths.h"
#include "pytorch/exported_program/expression.h"
#include "pytorch/exported_program/memory.h"
#include "pytorch/exported_program/tree.h"
#include "temporary_folder.h"

using namespace h5bridge;
using Catch::Matchers::Contains;

namespace {

std::string testdata(const std::string& name) { return std::string(TESTDATA) + "/" + name; }

Size parsed(const std::string& text) {
  return size_of_expression(text, [](const std::string& name) { return Size::symbol("x_" + name); });
}

// Layers by what they are, since functions may be called otherwise.
std::vector<std::string> layers_of(const Architecture& architecture) {
  std::vector<std::string> result;
  for (const Node& node : architecture.nodes) {
    const Layer& layer = architecture.layer_of(node);
    const bool has_parameters = !Registry::instance().type_of(layer).parameters(layer.attributes).empty();
    result.push_back(layer.type + (has_parameters ? " " + layer.name : ""));
  }
  return result;
}

using Entries = std::vector<std::pair<std::string, std::string>>;

Entries entries_of(const std::string& path) {
  const ZipReader archive(open_file(path));
  Entries result;
  for (const ZipEntry& entry : archive.entries()) {
    const std::vector<std::byte> bytes = archive.read(entry);
    result.emplace_back(entry.name, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  return result;
}

void write(const Entries& entries, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  ZipWriter archive(out);
  for (const auto& [name, content] : entries) archive.add(name, content);
  archive.finish();
}

std::string& content(Entries& entries, const std::string& end) {
  for (auto& [name, text] : entries)
    if (name.ends_with(end)) return text;
  throw std::logic_error("no entry ends with " + end);
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("an exported program is the network of its architecture and state_dict", "[exported]") {
  for (const std::string network : {"scan_net", "face_net"}) {
    INFO(network);
    const Model exported = load(testdata(network + "/model.pt2"));
    const Model model = load({testdata(network + "/model.json"), testdata(network + "/model.pth")});
    CHECK(exported.format == "pt2");
    CHECK(exported.framework == Framework::Torch);
    REQUIRE(exported.architecture);
    std::vector<std::string> layers = layers_of(*exported.architecture);
    std::erase(layers, "contiguous");  // which the exporter that wrote these JSONs did not have
    CHECK(layers == layers_of(*model.architecture));
    for (const Layer& layer : model.architecture->layers)
      if (const Layer* found = exported.architecture->find_layer(layer.name))
        CHECK(found->attributes == layer.attributes);
    CHECK(exported.architecture->inputs == model.architecture->inputs);
    std::vector<std::string> names, buffers;
    for (const NamedTensor& tensor : model.weights) {
      names.push_back(tensor.name);
      const std::string last = tensor.name.substr(tensor.name.rfind('.') + 1);
      if (last.starts_with("running_") || last == "num_batches_tracked") buffers.push_back(tensor.name);
    }
    CHECK(exported.architecture->state_dict == names);
    CHECK(std::ranges::equal(exported.architecture->buffers, buffers));
    REQUIRE(exported.weights.size() == model.weights.size());
    for (auto a = exported.weights.begin(), b = model.weights.begin(); a != exported.weights.end(); ++a, ++b) {
      CHECK(a->name == b->name);
      CHECK(bit_equal(a->tensor, b->tensor));
    }
  }
}

TEST_CASE("an exported program of damaged or foreign parts is refused by what is wrong", "[exported]") {
  const TemporaryFolder folder;
  const std::string path = folder / "model.pt2";
  const auto refuses = [&](const std::function<void(Entries&)>& damage, const std::string& message) {
    Entries entries = entries_of(testdata("scan_net/model.pt2"));
    damage(entries);
    write(entries, path);
    CHECK_THROWS_WITH(load(path), Contains(message));
  };
  refuses(
      [](Entries& e) {
        replace(content(e, "weights_config.json"), R"("path_name": "weight_0")", R"("path_name": "../x")");
      },
      "are not in the archive");
  refuses([](Entries& e) { content(e, "data/weights/weight_0").resize(12); }, "conv1.weight");
  refuses(
      [](Entries& e) { replace(content(e, "weights_config.json"), R"("use_pickle": false)", R"("use_pickle": true)"); },
      "tensor \"conv1.weight\", which is pickled: zip: no end record");
  refuses([](Entries& e) { replace(content(e, "weights_config.json"), R"("dtype": 7)", R"("dtype": 9)"); },
          "dtype 9 of torch.export");
  refuses([](Entries& e) { content(e, "byteorder") = "big"; }, "big-endian");
  refuses([](Entries& e) { replace(content(e, "models/model.json"), R"("major": 8)", R"("major": 9)"); }, "version 9");
  refuses([](Entries& e) { replace(content(e, "models/model.json"), "aten.relu.default", "aten.nonzero.default"); },
          "operator aten.nonzero.default");
  refuses([](Entries& e) { replace(content(e, "models/model.json"), "aten.prelu.default", "mine.prelu.default"); },
          "operator mine.prelu.default in prelu1 (PReLU): no layer is known that it is");
  refuses(
      [](Entries& e) {
        replace(content(e, "models/model.json"), "aten.softmax.int", "aten.frexp.Tensor");
        replace(content(e, "models/model.json"), "aten.relu.default", "aten.nonzero.default");
      },
      "; operator aten.frexp.Tensor");
  refuses([](Entries& e) { e.emplace_back("model/models/other.json", "{}"); }, "several models (model, other)");
}

TEST_CASE("programs that were compiled, and archives without one, are refused by name", "[exported]") {
  const TemporaryFolder folder;
  const std::string path = folder / "model.pt2";
  write({{"m/archive_format", "pt2"}, {"m/data/aotinductor/model/x.so", ""}}, path);
  CHECK_THROWS_WITH(load(path), Contains("AOTInductor"));
  write({{"m/archive_format", "pt2"}, {"m/data/executorch/model.pte", ""}}, path);
  CHECK_THROWS_WITH(load(path), Contains("ExecuTorch"));
  write({{"version", "8.1"}, {"serialized_exported_program.json", "{}"}}, path);
  CHECK_THROWS_AS(load(path), MalformedFile);
  write({{"m/archive_format", "pt2"}}, path);
  CHECK_THROWS_WITH(load(path), Contains("holds no exported program"));
}

TEST_CASE("sizes are read as SymPy writes them", "[exported]") {
  CHECK(parsed("Integer(-3)") == Size(-3));
  CHECK(parsed("Symbol('s77', positive=True, integer=True)").str() == "x_s77");
  CHECK(parsed("Add(Mul(Integer(2), Symbol('a', integer=True)), Integer(1))") == Size::parse("2*x_a + 1"));
  CHECK(parsed("FloorDiv(Add(Symbol('a'), Integer(1)), Integer(2))") == Size::parse("(x_a + 1)//2"));
  CHECK(parsed("Pow(Symbol('a'), Integer(2))") == Size::parse("x_a*x_a"));
  CHECK(parsed("Mod(Symbol('a'), Integer(4))") == Size::parse("x_a - 4*(x_a//4)"));
  CHECK_THROWS_AS(parsed("Max(Symbol('a'), Integer(4))"), Unsupported);
  CHECK_THROWS_AS(parsed("Pow(Symbol('a'), Integer(-1))"), Unsupported);
  for (const char* text : {"", "Integer", "Integer(", "Integer(x)", "Symbol('a'", "Add(Integer(1)",
                           "Integer(1)Integer(2)", "FloorDiv(Integer(1), Integer(0))", "Mod(Integer(1))"}) {
    INFO(text);
    CHECK_THROWS_AS(parsed(text), MalformedFile);
  }
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "Add(";
  CHECK_THROWS_AS(parsed(deep), MalformedFile);
}

TEST_CASE("the results of a dict have its keys", "[exported]") {
  const std::string leaf = R"({"type": null, "context": null, "children_spec": []})";
  const auto dict = [](const std::string& keys, const std::string& children) {
    return R"({"type": "builtins.dict", "context": ")" + keys + R"(", "children_spec": [)" + children + "]}";
  };
  const std::string list =
      R"({"type": "builtins.list", "context": "null", "children_spec": [)" + leaf + "," + leaf + "]}";
  CHECK(keys_of_leaves("[1, " + leaf + "]").empty());
  CHECK(keys_of_leaves("[1, " + list + "]").empty());
  CHECK(keys_of_leaves("[1, " + dict(R"([\"a\", \"b\"])", leaf + "," + list) + "]") ==
        std::vector<std::string>{"a", "b.0", "b.1"});
  CHECK_THROWS_AS(keys_of_leaves("[1]"), MalformedFile);
}

TEST_CASE("what is written over in place is known by its new name alone", "[exported]") {
  ExportedMemory memory;
  memory.share("half", "x");
  memory.share("other", "x");
  memory.change("half", "relu_");
  CHECK(memory.is_stale("x"));
  CHECK(memory.is_stale("other"));
  CHECK_FALSE(memory.is_stale("half"));
  CHECK_FALSE(memory.is_stale("relu_"));
  CHECK_FALSE(memory.is_stale("y"));
  memory.change("relu_", "add_");
  CHECK(memory.is_stale("half"));
}

TEST_CASE("every row of ATen's makes a layer of a known type", "[exported]") {
  CHECK(aten::find_row("relu_") == aten::find_row("relu"));
  CHECK(aten::find_row("__and__") != nullptr);
  CHECK(aten::find_row("nonzero") == nullptr);
  CHECK(aten::find_row("_") == nullptr);
  std::size_t count = 0;
  for (const auto& [family, rows] : aten::rows_by_family())
    for (const aten::Row* row : rows) {
      if (row->type.empty()) continue;
      INFO(row->type);
      CHECK(row->operators.empty() == static_cast<bool>(row->whole));
      const LayerType* type = Registry::instance().find(row->type);
      REQUIRE(type != nullptr);
      CHECK(row->parameters.empty() == !row->as_module);
      for (const auto& [name, value] : row->defaults) CHECK(type->find_attribute(name) != nullptr);
      ++count;
    }
  CHECK(count > 150);
}
