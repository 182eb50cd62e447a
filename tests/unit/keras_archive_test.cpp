// Keras 3's own formats as containers: what is written is read, and files that lie are refused.
#include "files/keras_archive.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <random>

#include "files/keras_h5.h"
#include "files/keras_objects.h"
#include "h5bridge/error.h"
#include "model/work_counts.h"
#include "temporary_folder.h"

using namespace h5bridge;
using Catch::Matchers::Contains;
using Catch::Matchers::Message;

namespace {

Tensor some_tensor(const Shape& shape) {
  std::mt19937 random(3);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = std::normal_distribution<float>()(random);
  return tensor_of(DType::Float32, shape, values);
}

KerasFile small_file() {
  KerasFile file;
  file.format = "keras";
  file.keras_version = "3.15.1";
  file.model_config = Json::parse(R"({"class_name": "Sequential", "config": {"name": "m", "layers": []}})");
  file.has_model_config = true;
  file.training_config =
      Json::parse(R"({"loss": "mse", "optimizer_config": {"class_name": "Adam", "config": {"name": "adam"}}})");
  file.objects = {{"", "m", {}},
                  {"layers/dense", "a", {some_tensor({300, 200}), some_tensor({200})}},
                  {"layers/lstm/cell", "lstm_cell", {some_tensor({2, 3})}}};
  file.optimizer = {{"vars/0", tensor_of<std::int32_t>(DType::Int32, {}, {7})}, {"vars/1", some_tensor({300, 200})}};
  file.extra = Json::Object{{"version", 1}};
  file.extra_tensors = {{"a.weight", some_tensor({5})}};
  return file;
}

void check_equal(const KerasFile& found, const KerasFile& expected) {
  REQUIRE(found.objects.size() == expected.objects.size());
  for (std::size_t i = 0; i < expected.objects.size(); ++i) {
    CHECK(found.objects[i].path == expected.objects[i].path);
    CHECK(found.objects[i].name == expected.objects[i].name);
    REQUIRE(found.objects[i].variables.size() == expected.objects[i].variables.size());
    for (std::size_t j = 0; j < expected.objects[i].variables.size(); ++j)
      CHECK(bit_equal(found.objects[i].variables[j], expected.objects[i].variables[j]));
  }
  REQUIRE(found.optimizer.size() == expected.optimizer.size());
  for (std::size_t i = 0; i < expected.optimizer.size(); ++i) {
    CHECK(found.optimizer[i].path == expected.optimizer[i].path);
    CHECK(bit_equal(found.optimizer[i].tensor, expected.optimizer[i].tensor));
  }
  CHECK(found.extra == expected.extra);
  REQUIRE(found.extra_tensors.size() == 1);
  CHECK(bit_equal(found.extra_tensors[0].tensor, expected.extra_tensors[0].tensor));
}

/// The archive that write_keras_archive makes, with entries changed: the name, and its content or none.
void write_changed(const std::string& path, const std::map<std::string, std::optional<std::string>>& changes) {
  write_keras_archive(small_file(), path);
  const ZipReader archive(open_file(path));
  std::map<std::string, std::string> entries;
  for (const ZipEntry& entry : archive.entries()) {
    const std::vector<std::byte> content = archive.read(entry);
    entries[entry.name].assign(reinterpret_cast<const char*>(content.data()), content.size());
  }
  for (const auto& [name, content] : changes) {
    entries.erase(name);
    if (content) entries[name] = *content;
  }
  std::ofstream out(path + ".changed", std::ios::binary);
  ZipWriter writer(out);
  for (const auto& [name, content] : entries) writer.add(name, content);
  writer.finish();
}

std::string weights_of(const std::string& path) {
  write_keras_weights(small_file(), path);
  const std::vector<std::byte> bytes = read_all(*open_file(path));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("an archive of Keras 3's is read as it was written", "[keras]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.keras";
  write_keras_archive(small_file(), path);
  const KerasFile found = read_keras_archive(ZipReader(open_file(path)));
  check_equal(found, small_file());
  CHECK(found.format == "keras");
  CHECK(found.keras_version == "3.15.1");
  CHECK(found.model_config.at("class_name") == Json("Sequential"));
  CHECK(found.training_config.at("loss") == Json("mse"));
  CHECK(found.training_config.at("optimizer_config").at("module") == Json("keras.optimizers"));
}

TEST_CASE("weights stay in the archive until they are used", "[keras]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.keras";
  write_keras_archive(small_file(), path);
  const ZipReader archive(open_file(path));
  const ZipEntry* weights = archive.find("model.weights.h5");
  REQUIRE(weights);
  CHECK_FALSE(weights->deflated);
  CHECK(weights->data_offset % 64 == 0);
  CHECK_NOTHROW(archive.read(*weights));  // its checksum is right
  const KerasFile file = read_keras_archive(ZipReader(open_file(path)));
  const std::int64_t uses = work().hdf5_uses;
  CHECK(bit_equal(file.objects.at(1).variables.at(0), some_tensor({300, 200})));
  CHECK(work().hdf5_uses == uses);
}

TEST_CASE("a file of weights alone is read as it was written", "[keras]") {
  const TemporaryFolder folder;
  write_keras_weights(small_file(), folder / "a.weights.h5");
  const KerasFile found = read_keras_h5(folder / "a.weights.h5");
  check_equal(found, small_file());
  CHECK(found.format == "keras-weights");
  CHECK(found.model_config.is_null());
}

TEST_CASE("archives that are damaged or lie are refused", "[keras]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.keras";
  const auto read_changed = [&](const std::map<std::string, std::optional<std::string>>& changes) {
    write_changed(path, changes);
    return read_keras_archive(ZipReader(open_file(path + ".changed")));
  };
  CHECK_NOTHROW(read_changed({}));
  CHECK_THROWS_MATCHES(read_changed({{"model.weights.h5", std::nullopt}}), MalformedFile,
                       Message("has no model.weights.h5 beside config.json"));
  CHECK_THROWS_MATCHES(read_changed({{"config.json", std::nullopt}}), MalformedFile, Message("has no config.json"));
  CHECK_THROWS_AS(read_changed({{"model.weights.h5", std::nullopt}, {"model.weights.npz", "x"}}), Unsupported);
  for (const char* name : {"../x", "a/../../x", "/etc/x", "C:\\x", "..\\x"})
    CHECK_THROWS_MATCHES(read_changed({{name, "x"}}), MalformedFile,
                         Message("entry \"" + std::string(name) + "\" leads out of the archive, which is refused"));
  const std::string weights = weights_of(folder / "a.weights.h5");
  for (std::size_t size = 0; size < weights.size(); size += 4001)
    REQUIRE_THROWS_AS(read_changed({{"model.weights.h5", weights.substr(0, size)}}), MalformedFile);
  CHECK_THROWS_WITH(read_changed({{"model.weights.h5", weights.substr(0, 4000)}}),
                    Contains("model.weights.h5: truncated HDF5 file"));
}

TEST_CASE("objects that no file of Keras's has are refused", "[keras]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.weights.h5";
  const auto read_made = [&](const std::function<void(const hdf5::NewGroup&)>& make) {
    hdf5::NewFile file(path);
    make(file.root());
    file.finish();
    return read_keras_h5(path);
  };
  const Tensor tensor = some_tensor({2});
  CHECK_NOTHROW(read_made([&](const hdf5::NewGroup& root) { root.write("layers/dense/vars/0", tensor); }));
  CHECK_THROWS_MATCHES(read_made([&](const hdf5::NewGroup& root) {
                         root.write("layers/dense/vars/0", tensor);
                         root.write("layers/dense/vars/2", tensor);
                       }),
                       MalformedFile, Message("layers/dense/vars/1 is missing, and 2 is there"));
  CHECK_THROWS_AS(read_made([&](const hdf5::NewGroup& root) { root.write("layers/dense/vars/table", tensor); }),
                  Unsupported);
  CHECK_THROWS_MATCHES(read_made([&](const hdf5::NewGroup& root) { root.write("layers/dense/0", tensor); }),
                       MalformedFile, Message("/layers/dense holds 0, where groups are expected"));
  CHECK_NOTHROW(read_made(
      [&](const hdf5::NewGroup& root) { root.write("_layer_checkpoint_dependencies/dense/vars/0", tensor); }));
  KerasFile twice = small_file();
  twice.objects.push_back(twice.objects.back());
  CHECK_THROWS_AS(write_keras_weights(twice, path), Unsupported);
}
