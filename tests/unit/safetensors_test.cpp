#include "files/safetensors.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "files/little_endian.h"
#include "h5bridge/error.h"
#include "h5bridge/h5bridge.h"
#include "random_tensors.h"
#include "temporary_folder.h"

using namespace h5bridge;
using Catch::Matchers::Contains;

namespace {

ByteSourcePtr source_of(const std::string& text) {
  const auto bytes = bytes_of(text);
  return bytes_in_memory({bytes.begin(), bytes.end()});
}

std::string written(const std::vector<NamedTensor>& tensors, const safetensors::Metadata& metadata = {}) {
  std::ostringstream out;
  safetensors::write(tensors, metadata, out);
  return out.str();
}

/// A file with the given header, of any length, and so many bytes of data.
std::string crafted(const std::string& header, std::size_t data_size) {
  std::string file;
  append_little_endian(file, static_cast<std::uint64_t>(header.size()));
  return file + header + std::string(data_size, '\1');
}

safetensors::File read(const std::string& file) { return safetensors::read(source_of(file)); }

}  // namespace

TEST_CASE("safetensors: what is written is read back, in its order", "[safetensors]") {
  std::vector<NamedTensor> tensors;
  for (const DType dtype : {DType::Int8, DType::Float32, DType::Float64, DType::Float16, DType::BFloat16,
                            DType::Float8E4M3FN, DType::Float8E5M2, DType::Int64, DType::Int32, DType::Int16,
                            DType::UInt64, DType::UInt32, DType::UInt16, DType::UInt8, DType::Bool, DType::Complex64})
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{5}, Shape{2, 3, 1}})
      tensors.push_back({std::string(name_of(dtype)) + to_string(shape),
                         Tensor(dtype, shape,
                                bytes_in_memory(std::vector<std::byte>(
                                    static_cast<std::size_t>(element_count(shape)) * size_of(dtype),
                                    static_cast<std::byte>(dtype == DType::Bool ? 1 : tensors.size() + 1))))});
  const std::int64_t axes[] = {2, 0, 1};
  tensors.push_back({"transposed", tensors[7].tensor.permute(axes)});
  const std::string file = written(tensors, {{"format", "pt"}, {"by", "a \"user\""}});
  const safetensors::File back = read(file);
  CHECK(back.metadata == safetensors::Metadata{{"format", "pt"}, {"by", "a \"user\""}});
  REQUIRE(back.tensors.size() == tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CHECK(back.tensors[i].name == tensors[i].name);
    CHECK(bit_equal(back.tensors[i].tensor, tensors[i].tensor));
  }
  CHECK(load_little_endian<std::uint64_t>(bytes_of(file)) % 8 == 0);
  CHECK(read(written({})).tensors.empty());
  CHECK_THROWS_AS(written({{"c", Tensor(DType::Complex128, {1}, bytes_in_memory(std::vector<std::byte>(16)))}}),
                  Unsupported);
}

TEST_CASE("safetensors: tensors lie aligned, as far as their sizes let them", "[safetensors]") {
  std::vector<NamedTensor> tensors;
  for (const std::int64_t size : {3, 64, 5, 128, 192})
    tensors.push_back(
        {std::to_string(size), Tensor(size == 64 ? DType::Float32 : DType::UInt8, {size == 64 ? 16 : size},
                                      bytes_in_memory(std::vector<std::byte>(static_cast<std::size_t>(size),
                                                                             static_cast<std::byte>(size))))});
  const std::string file = written(tensors, {{"format", "pt"}});
  for (const std::size_t size : {64, 128, 192}) CHECK(file.find(std::string(size, static_cast<char>(size))) % 64 == 0);
  CHECK(bit_equal(read(file).tensors.at(0).tensor, tensors[0].tensor));
}

TEST_CASE("safetensors: headers as others write them", "[safetensors]") {
  const std::string a = R"("a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]})";
  CHECK(read(crafted(R"({"__metadata__": null, )" + a + "}", 2)).metadata.empty());
  CHECK(read(crafted("{" + a + "}   ", 2)).tensors.size() == 1);
  // The header's order need not be that of the data.
  const auto turned = read(crafted(R"({"b": {"dtype": "U8", "shape": [], "data_offsets": [2, 3]}, )" + a + "}", 3));
  CHECK(turned.tensors[0].name == "b");
}

TEST_CASE("safetensors: headers that do not describe the file are refused", "[safetensors]") {
  const auto refused = [](const std::string& members, std::size_t data_size, const std::string& message) {
    INFO(members);
    CHECK_THROWS_WITH(read(crafted("{" + members + "}", data_size)), Contains(message));
    CHECK_THROWS_AS(read(crafted("{" + members + "}", data_size)), Error);
  };
  const auto entry = [](const std::string& name, const std::string& shape, const std::string& offsets,
                        const std::string& dtype = "F32") {
    return "\"" + name + R"(": {"dtype": ")" + dtype + R"(", "shape": )" + shape + R"(, "data_offsets": )" + offsets +
           "}";
  };
  refused(entry("a", "[2]", "[0, 8]"), 9, "there are 9 bytes of data, expected 8");
  refused(entry("a", "[2]", "[0, 8]"), 7, "there are 7 bytes of data, expected 8");
  refused(entry("a", "[2]", "[4, 12]"), 12, "begins at 4, expected 0");
  refused(entry("a", "[2]", "[0, 8]") + ", " + entry("b", "[2]", "[4, 12]"), 12, "begins at 4, expected 8");
  refused(entry("a", "[2]", "[0, 12]"), 12, "has 8 bytes");
  refused(entry("a", "[2]", "[8, 0]"), 8, "lies from 8 to 0");
  refused(entry("a", "[-2]", "[0, 8]"), 8, "-2");
  refused(entry("a", "[4611686018427387904, 4]", "[0, 8]"), 8, "");
  refused(entry("a", "[2]", "[0]"), 8, "1 offsets");
  refused(entry("a", "[2]", "[0, 8]", "F4"), 8, "type F4");
  refused(entry("a", "[2]", "[0, 8]") + ", " + entry("a", "[2]", "[0, 8]"), 8, "a");
  refused(R"("__metadata__": {"a": 1})", 0, "__metadata__");
  CHECK_THROWS_AS(read(crafted("[]", 0)), MalformedFile);
  CHECK_THROWS_AS(read("short"), MalformedFile);
  std::string too_long = crafted("{}", 0);
  too_long[3] = '\x7f';
  CHECK_THROWS_AS(read(too_long), MalformedFile);
}

TEST_CASE("safetensors: a file whose length begins like JSON is none", "[safetensors]") {
  std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  header.resize('{', ' ');
  const TemporaryFolder folder;
  const std::string path = folder / "braced.safetensors";
  std::ofstream(path, std::ios::binary) << crafted(header, 4);
  const Model model = load(path);
  CHECK(model.format == "safetensors");
  CHECK(model.weights.find("a"));
}
