#include "files/npy.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <sstream>

#include "files/little_endian.h"
#include "h5bridge/error.h"

using namespace h5bridge;
using namespace std::string_literals;
using Catch::Matchers::Contains;

namespace {

ByteSourcePtr source_of(std::string_view text) {
  const auto bytes = bytes_of(text);
  return bytes_in_memory({bytes.begin(), bytes.end()});
}

Tensor random_tensor(DType dtype, const Shape& shape) {
  static std::mt19937 random(1);
  std::vector<std::byte> bytes(static_cast<std::size_t>(element_count(shape)) * size_of(dtype));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(dtype == DType::Bool ? random() % 2 : random());
  return Tensor(dtype, shape, bytes_in_memory(std::move(bytes)));
}

std::string written(const Tensor& tensor) {
  std::ostringstream out;
  write_npy(tensor, out);
  return out.str();
}

/// A .npy file with the given header.
std::string crafted(const std::string& header, const std::string& data, char version = 1) {
  std::string file = "\x93NUMPY"s + version + '\0';
  if (version == 1)
    append_little_endian(file, static_cast<std::uint16_t>(header.size()));
  else
    append_little_endian(file, static_cast<std::uint32_t>(header.size()));
  return file + header + data;
}

}  // namespace

TEST_CASE("npy: what is written is read back") {
  for (const DType dtype :
       {DType::Float64, DType::Float32, DType::Float16, DType::Int64, DType::Int32, DType::Int16, DType::Int8,
        DType::UInt64, DType::UInt32, DType::UInt16, DType::UInt8, DType::Bool, DType::Complex64, DType::Complex128})
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{5}, Shape{2, 3, 4}}) {
      const Tensor tensor = random_tensor(dtype, shape);
      CHECK(bit_equal(read_npy(source_of(written(tensor))), tensor));
    }
  const std::int64_t axes[] = {1, 0};
  const Tensor transposed = random_tensor(DType::Int16, {3, 4}).permute(axes);
  CHECK(bit_equal(read_npy(source_of(written(transposed))), transposed));
}

TEST_CASE("npy: the header is what NumPy writes") {
  const std::string file = written(tensor_of<std::uint8_t>(DType::UInt8, {2}, {7, 8}));
  CHECK(file.size() == 128 + 2);
  CHECK(file.substr(0, 67) == "\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }"s);
  CHECK(file.substr(127) == "\n\x07\x08");
}

TEST_CASE("npy: every version, and Fortran order") {
  const std::string c_order = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3)}\n";
  const std::string fortran = "{\"shape\": (2, 3,), 'descr': '|u1', 'fortran_order': True, }\n";
  for (const char version : {'\1', '\2', '\3'}) {
    CHECK(read_npy(source_of(crafted(c_order, "abcdef", version))).values<char>() ==
          std::vector<char>{'a', 'b', 'c', 'd', 'e', 'f'});
    CHECK(read_npy(source_of(crafted(fortran, "abcdef", version))).values<char>() ==
          std::vector<char>{'a', 'c', 'e', 'b', 'd', 'f'});
  }
}

TEST_CASE("npy: big-endian numbers") {
  const std::string header = "{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }\n";
  CHECK(read_npy(source_of(crafted(header, "\x01\x02\xff\xfe"))).values<std::int16_t>() ==
        std::vector<std::int16_t>{258, -2});
  const std::string pairs = "{'descr': '>c8', 'fortran_order': False, 'shape': (1,), }\n";
  const Tensor pair = read_npy(source_of(crafted(pairs, "\x3f\x80\x00\x00\xc0\x00\x00\x00"s)));
  CHECK(bit_equal(pair, Tensor(DType::Complex64, {1}, source_of("\x00\x00\x80\x3f\x00\x00\x00\xc0"s))));
}

TEST_CASE("npy: malformed and unsupported files") {
  const auto header = [](const std::string& type, const std::string& shape) {
    return "{'descr': " + type + ", 'fortran_order': False, 'shape': " + shape + ", }";
  };
  const auto malformed = [](const std::string& file, const std::string& message) {
    CHECK_THROWS_AS(read_npy(source_of(file)), MalformedFile);
    CHECK_THROWS_WITH(read_npy(source_of(file)), Contains(message));
  };
  malformed("\x93NUMPX", "npy: the magic bytes are missing");
  malformed(crafted(header("'|u1'", "(3,)"), "ab"), "takes 3 bytes, found 2");
  malformed(crafted(header("'|u1'", "(-3,)"), "ab"), "negative");
  malformed(crafted(header("'<f8'", "(4611686018427387904, 4)"), ""), "overflows");
  malformed(crafted(header("'|u1'", "(3"), "abc"), "npy: header, character 54: expected an extent");
  malformed(crafted("{'descr': '|u1', 'shape': ()}", "a"), "expected the keys descr, fortran_order and shape");
  malformed(crafted("{'descr': '|u1', 'colour': ()}", "a"), "the unknown key 'colour'");
  malformed(crafted(std::string(70'000, ' '), "", 2), "a header of 70000 bytes");
  const std::string good = written(random_tensor(DType::Float32, {2, 2}));
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_THROWS_AS(read_npy(source_of(good.substr(0, size))), MalformedFile);

  CHECK_THROWS_WITH(read_npy(source_of(crafted(header("'<U2'", "(1,)"), "abcdefgh"))),
                    "npy: elements of type '<U2' have no equivalent here");
  CHECK_THROWS_AS(read_npy(source_of(crafted(header("'<U1'", "(1,)"), "abcd"))), Unsupported);
  CHECK_THROWS_WITH(read_npy(source_of(crafted(header("[('a', '<f4')]", "(1,)"), "abcd"))),
                    "npy: arrays of records have no equivalent here");
  CHECK_THROWS_WITH(written(zeros(DType::BFloat16, {1})), "npy: NumPy has no type bfloat16");
}

TEST_CASE("npz: several arrays by name") {
  const std::vector<NamedTensor> tensors = {{"x", random_tensor(DType::Float32, {3, 4})},
                                            {"ids", random_tensor(DType::Int64, {})},
                                            {"none", zeros(DType::Bool, {0, 2})}};
  std::ostringstream out;
  write_npz(tensors, out);
  CHECK(is_npz(ZipReader(source_of(out.str()))));
  const std::vector<NamedTensor> back = read_npz(source_of(out.str()));
  REQUIRE(back.size() == tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CHECK(back[i].name == tensors[i].name);
    CHECK(bit_equal(back[i].tensor, tensors[i].tensor));
  }
}
