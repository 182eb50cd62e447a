// The committed schema and table are what the layer definitions say.
#include "convert/schema.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "paths.h"

namespace h5bridge::testing {
namespace {

std::string committed(const std::string& path) {
  std::ifstream file(std::string(SOURCE_ROOT) + "/" + path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("schemas/architecture.schema.json is up to date (else run h5bridge_generate)") {
  const bool same =
      committed("schemas/architecture.schema.json") == architecture_schema(Registry::instance()).dump(2) + "\n";
  CHECK(same);
}

TEST_CASE("docs/layers.md is up to date (else run h5bridge_generate)") {
  const bool same = committed("docs/layers.md") == layers_table(Registry::instance());
  CHECK(same);
}

TEST_CASE("docs/optimizers.md is up to date (else run h5bridge_generate)") {
  const bool same = committed("docs/optimizers.md") == optimizers_table();
  CHECK(same);
}

TEST_CASE("the exporter's table is up to date (else run h5bridge_generate)") {
  const bool same = committed("python/h5bridge/exporter/registry.py") == exporter_table(Registry::instance());
  CHECK(same);
}

TEST_CASE("docs/aten.md is up to date (else run h5bridge_generate)") {
  const bool same = committed("docs/aten.md") == aten_table();
  CHECK(same);
}

TEST_CASE("the schema has an entry for every type") {
  const Json schema = architecture_schema(Registry::instance());
  for (const Family& family : Registry::instance().families())
    for (const LayerType& type : family.types) {
      INFO(type.name);
      const Json* definition = schema.at("$defs").find("layer." + type.name);
      REQUIRE(definition);
      CHECK(definition->at("properties").as_object().size() == type.attributes.size());
      CHECK(definition->at("additionalProperties") == Json(false));
    }
}

TEST_CASE("the table has a section for every type") {
  const std::string table = layers_table(Registry::instance());
  for (const Family& family : Registry::instance().families())
    for (const LayerType& type : family.types) CHECK(table.find("\n### " + type.name + "\n") != std::string::npos);
}

}  // namespace h5bridge::testing
