// The HDF5 wrapper against files made with the HDF5 library itself: all the ways to store data, and files that lie.
#include "files/hdf5.h"

#include <hdf5.h>

#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include "h5bridge/error.h"
#include "model/work_counts.h"
#include "temporary_folder.h"

using namespace h5bridge;
using Catch::Matchers::Contains;
using Catch::Matchers::Message;

namespace {

/// Makes an HDF5 file with the C library: `fill` gets the root group.
void make_file(const std::string& path, const std::function<void(hid_t)>& fill) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(file >= 0);
  fill(file);
  REQUIRE(H5Fclose(file) >= 0);
}

using Extents = std::vector<hsize_t>;

/// Adds data set "x"; nothing is written where `values` is null.
void add_data_set(hid_t file, hid_t type, const Extents& extents, const void* values,
                  const std::function<void(hid_t)>& configure = {}, hid_t memory_type = H5I_INVALID_HID) {
  const hid_t space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  if (configure) configure(properties);
  const hid_t data_set = H5Dcreate2(file, "x", type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  REQUIRE(data_set >= 0);
  if (values != nullptr)
    REQUIRE(H5Dwrite(data_set, memory_type >= 0 ? memory_type : type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  H5Dclose(data_set);
  H5Pclose(properties);
  H5Sclose(space);
}

std::vector<float> random_floats(std::size_t count) {
  std::mt19937 random(7);
  std::vector<float> values(count);
  for (float& value : values) value = std::normal_distribution<float>()(random);
  return values;
}

std::function<void(hid_t)> chunks(const Extents& extents, const std::function<void(hid_t)>& filters = {}) {
  return [=](hid_t properties) {
    H5Pset_chunk(properties, static_cast<int>(extents.size()), extents.data());
    if (filters) filters(properties);
  };
}

Tensor read_x(const std::string& path) { return hdf5::open(path).data_set("x").tensor(); }

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_content(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace

TEST_CASE("data sets are read however they are stored", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const std::vector<float> values = random_floats(13 * 7 * 5);
  const Extents extents{13, 7, 5};
  const auto all_filters = [](hid_t properties) {
    H5Pset_shuffle(properties);
    H5Pset_deflate(properties, 6);
    H5Pset_fletcher32(properties);
  };
  const auto [type, configure] = GENERATE_COPY(table<hid_t, std::function<void(hid_t)>>({
      {H5T_IEEE_F32LE, {}},
      {H5T_IEEE_F32BE, {}},
      {H5T_IEEE_F32LE, chunks({4, 7, 2})},
      {H5T_IEEE_F32BE, chunks({5, 3, 5}, all_filters)},
      {H5T_IEEE_F32LE, [](hid_t properties) { H5Pset_layout(properties, H5D_COMPACT); }},
  }));
  make_file(path, [&, t = type, c = configure](hid_t file) {
    add_data_set(file, t, extents, values.data(), c, H5T_NATIVE_FLOAT);
  });

  const Tensor tensor = read_x(path);
  CHECK(tensor.dtype() == DType::Float32);
  CHECK(tensor.shape() == Shape{13, 7, 5});
  CHECK(tensor.values<float>() == values);
  // Any range of bytes is the same range of the whole.
  const std::vector<std::byte> whole = tensor.read();
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    const std::size_t a = random() % (whole.size() + 1), b = random() % (whole.size() + 1);
    std::vector<std::byte> part(std::max(a, b) - std::min(a, b));
    tensor.source()->read_at(std::min(a, b), part);
    REQUIRE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(std::min(a, b))));
  }
}

TEST_CASE("threads read one compressed tensor at once", "[hdf5]") {
  const TemporaryFolder folder;
  const std::vector<float> values = random_floats(40'000);
  make_file(folder / "a.h5", [&](hid_t file) {
    add_data_set(file, H5T_IEEE_F32LE, {400, 100}, values.data(),
                 chunks({50, 30}, [](hid_t p) { H5Pset_deflate(p, 1); }));
  });
  const Tensor tensor = read_x(folder / "a.h5");
  std::array<int, 4> equal{};
  std::vector<std::thread> threads;
  for (int& count : equal)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) count += tensor.values<float>() == values && hdf5::open(folder / "a.h5").has("x");
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(equal == std::array<int, 4>{20, 20, 20, 20});
}

TEST_CASE("contiguous little-endian data stays in the file", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const std::vector<float> values = random_floats(6);
  make_file(path, [&](hid_t file) { add_data_set(file, H5T_IEEE_F32LE, {6}, values.data()); });
  const Tensor tensor = read_x(path);
  std::string content = content_of(path);
  const std::string bytes(reinterpret_cast<const char*>(values.data()), 24);
  REQUIRE(content.find(bytes) != std::string::npos);
  content[content.find(bytes)] ^= 1;
  write_content(path, content);
  CHECK_THROWS_AS(tensor.values<float>(), MalformedFile);
}

TEST_CASE("data that was never written is the fill value, and no data is no bytes", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const float fill = 2.5F;
  make_file(path, [&](hid_t file) {
    add_data_set(file, H5T_IEEE_F32LE, {3}, nullptr, [&](hid_t p) { H5Pset_fill_value(p, H5T_NATIVE_FLOAT, &fill); });
  });
  CHECK(read_x(path).values<float>() == std::vector<float>{2.5F, 2.5F, 2.5F});
  make_file(path, [&](hid_t file) { add_data_set(file, H5T_STD_I32LE, {4, 0}, nullptr); });
  CHECK(read_x(path).shape() == Shape{4, 0});
  CHECK(read_x(path).read().empty());
}

TEST_CASE("every dtype is written and read bit for bit", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  for (int i = 0; i <= static_cast<int>(DType::Complex128); ++i) {
    const auto dtype = static_cast<DType>(i);
    CAPTURE(name_of(dtype));
    std::vector<std::byte> bytes(size_of(dtype) * 6);
    std::mt19937 random(5);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % (dtype == DType::Bool ? 2 : 256));
    hdf5::NewFile file(path);
    const Tensor tensor(dtype, {2, 3}, bytes_in_memory(bytes));
    file.root().write("a/b/x", tensor);
    file.root().write("scalar", tensor.slice(0, 0, 1).slice(1, 2, 3).reshape({}));
    const std::vector<std::int64_t> swap{1, 0};
    file.root().write("swapped", tensor.permute(swap));
    file.finish();
    const hdf5::Group root = hdf5::open(path);
    CHECK(bit_equal(root.data_set("a/b/x").tensor(), tensor));
    CHECK(bit_equal(root.group("a").data_set("b/x").tensor(), tensor));
    CHECK(bit_equal(root.data_set("scalar").tensor(), tensor.slice(0, 0, 1).slice(1, 2, 3).reshape({})));
    CHECK(bit_equal(root.data_set("swapped").tensor(), tensor.permute(swap)));
  }
}

TEST_CASE("a tensor of many blocks is written and read", "[hdf5]") {
  const TemporaryFolder folder;
  const std::vector<float> values = random_floats(1'300'000);
  const Tensor tensor = tensor_of(DType::Float32, {13, 1000, 100}, values);
  hdf5::NewFile file(folder / "a.h5");
  file.root().write("x", tensor);
  file.finish();
  CHECK(bit_equal(read_x(folder / "a.h5"), tensor));
}

namespace {

std::vector<std::byte> bytes_of_file(const std::string& path) { return read_all(*open_file(path)); }

/// Bytes that can be read `reads` times.
class FailingSource final : public ByteSource {
 public:
  FailingSource(ByteSourcePtr whole, int reads) : whole_(std::move(whole)), reads_(reads) {}
  std::uint64_t size() const override { return whole_->size(); }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    if (--reads_ < 0) throw SystemFailure("the disk is gone");
    whole_->read_at(offset, into);
  }

 private:
  ByteSourcePtr whole_;
  mutable int reads_;
};

}  // namespace

TEST_CASE("a file within other bytes is read as one of its own", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const std::vector<float> values = random_floats(12'000);
  const bool is_packed = GENERATE(false, true);
  make_file(path, [&](hid_t file) {
    const auto deflated = chunks({7, 300}, [](hid_t properties) { H5Pset_deflate(properties, 4); });
    add_data_set(file, H5T_IEEE_F32LE, {30, 400}, values.data(), is_packed ? deflated : std::function<void(hid_t)>());
    H5Gclose(H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  });
  std::vector<std::byte> bytes(1000, std::byte{7});
  const std::vector<std::byte> content = bytes_of_file(path);
  bytes.insert(bytes.end(), content.begin(), content.end());
  bytes.resize(bytes.size() + 1000, std::byte{7});

  Tensor tensor;
  {
    const hdf5::Group root = hdf5::open(part_of(bytes_in_memory(std::move(bytes)), 1000, content.size()));
    CHECK(root.names() == std::vector<std::string>{"group", "x"});
    CHECK(root.is_group("group"));
    CHECK_FALSE(root.is_group("x"));
    tensor = root.data_set("x").tensor();
  }
  const std::int64_t uses = work().hdf5_uses;
  CHECK(tensor.values<float>() == values);
  CHECK((work().hdf5_uses == uses) == !is_packed);  // what lies there as it is needs no library
}

TEST_CASE("what a source throws comes out of the library as it was", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const std::vector<float> values = random_floats(12'000);
  make_file(path, [&](hid_t file) { add_data_set(file, H5T_IEEE_F32LE, {30, 400}, values.data(), chunks({30, 400})); });
  const ByteSourcePtr whole = bytes_in_memory(bytes_of_file(path));
  int reads = 0;
  for (bool is_done = false; !is_done; ++reads) {
    REQUIRE(reads < 100);
    try {
      const Tensor tensor = hdf5::open(std::make_shared<FailingSource>(whole, reads)).data_set("x").tensor();
      is_done = tensor.values<float>() == values;
    } catch (const SystemFailure& error) {
      CHECK_THAT(error.what(), Catch::Matchers::EndsWith("the disk is gone"));
    }
  }
  CHECK(reads > 3);
  CHECK(hdf5::open(whole).data_set("x").tensor().values<float>() == values);
}

TEST_CASE("a file within other bytes that is damaged is refused", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const std::vector<float> values = random_floats(100);
  make_file(path, [&](hid_t file) { add_data_set(file, H5T_IEEE_F32LE, {100}, values.data()); });
  const std::vector<std::byte> content = bytes_of_file(path);
  for (std::size_t size = 0; size < content.size(); size += 13)
    REQUIRE_THROWS_AS(hdf5::open(part_of(bytes_in_memory(content), 0, size)), MalformedFile);
  CHECK_THROWS_MATCHES(hdf5::open(bytes_in_memory(std::vector<std::byte>(100))), MalformedFile,
                       Message("not an HDF5 file: it does not start with the HDF5 signature"));
}

TEST_CASE("attributes of every kind of text", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const std::string large(3'000'000, 'z');
  const std::vector<std::string> names{"a", "", "longer name", "\xc3\xbc"};
  hdf5::NewFile file(path);
  file.root().set_text("ascii", "some text", hdf5::CharacterSet::Ascii);
  file.root().set_text("large", large, hdf5::CharacterSet::Utf8);
  file.root().set_texts("list", names);
  file.root().set_padded_texts("padded", names);
  file.root().set_padded_texts("one", {"x"});
  file.root().set_no_texts("none");
  file.finish();
  const hdf5::Group root = hdf5::open(path);
  CHECK(root.text("ascii") == "some text");
  CHECK(root.text("large") == large);
  CHECK(root.text("one") == "x");
  CHECK(root.texts("list") == names);
  CHECK(root.texts("padded") == names);
  CHECK(root.texts("none")->empty());
  CHECK_FALSE(root.text("other").has_value());
  CHECK_THROWS_MATCHES(root.text("list"), MalformedFile, Message("attribute list of / holds 4 texts, expected one"));
}

TEST_CASE("what leads or lies outside of the file is refused", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const auto error_of = [&](const std::function<void(hid_t)>& fill) -> std::string {
    make_file(path, fill);
    try {
      read_x(path);
    } catch (const MalformedFile& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK(error_of([](hid_t file) { H5Lcreate_soft("/y", file, "x", H5P_DEFAULT, H5P_DEFAULT); }) ==
        "/x is a soft link, which is refused");
  CHECK(error_of([](hid_t file) { H5Lcreate_external("b.h5", "/x", file, "x", H5P_DEFAULT, H5P_DEFAULT); }) ==
        "/x is an external link, which is refused");
  CHECK(error_of([](hid_t file) {
          add_data_set(file, H5T_IEEE_F32LE, {4}, nullptr, [](hid_t p) { H5Pset_external(p, "/etc/passwd", 0, 16); });
        }) == "data set /x is stored in another file, which is refused");
  CHECK(error_of([](hid_t file) {
          const hsize_t extent = 4;
          const hid_t space = H5Screate_simple(1, &extent, nullptr);
          add_data_set(file, H5T_IEEE_F32LE, {4}, nullptr,
                       [&](hid_t p) { H5Pset_virtual(p, space, "/etc/passwd", "y", space); });
          H5Sclose(space);
        }) == "data set /x is a virtual data set, which is refused");
  CHECK(error_of([](hid_t file) {
          add_data_set(file, H5T_IEEE_F32LE, {4}, nullptr,
                       chunks({4}, [](hid_t p) { H5Pset_filter(p, 32015, H5Z_FLAG_OPTIONAL, 0, nullptr); }));
        }) == "data set /x uses filter 32015, which is refused: only deflate, shuffle and fletcher32 are read");
  CHECK(error_of([](hid_t file) {
          add_data_set(file, H5T_IEEE_F32LE, {1 << 16, 1 << 16}, nullptr, chunks({64, 64}));
        }) == "data set /x declares 17179869184 bytes but stores 0: refused");
  CHECK(error_of([](hid_t file) { add_data_set(file, H5T_IEEE_F32LE, {1 << 16, 1 << 16}, nullptr); }) ==
        "data set /x declares 17179869184 bytes but stores 0: refused");
  CHECK(error_of([](hid_t file) { H5Gclose(H5Gcreate2(file, "x", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)); }) ==
        "/x is no data set, where one is expected");
  CHECK(error_of([](hid_t) {}) == "/x does not exist");
}

TEST_CASE("paths are checked before they are followed", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  make_file(path, [&](hid_t file) {
    add_data_set(file, H5T_IEEE_F32LE, {1}, nullptr);
    H5Lcreate_hard(file, "/", file, "loop", H5P_DEFAULT, H5P_DEFAULT);
  });
  const hdf5::Group root = hdf5::open(path);
  CHECK(root.group("loop").address() == root.address());
  CHECK_NOTHROW(root.data_set("loop/loop/x"));
  std::string deep = "x";
  for (int i = 0; i < 80; ++i) deep.insert(0, "loop/");
  CHECK_THROWS_WITH(root.data_set(deep), Contains("is more than 64 levels deep"));
  CHECK_THROWS_MATCHES(root.data_set("loop//x"), MalformedFile, Message("/loop/ is no proper path"));
  CHECK_THROWS_MATCHES(root.data_set("./x"), MalformedFile, Message("/. is no proper path"));
  CHECK_THROWS_MATCHES(root.data_set(""), MalformedFile, Message("/ is no proper path"));
  CHECK_THROWS_MATCHES(root.data_set("x/y"), MalformedFile,
                       Message("/x/y does not exist: a group is expected above it"));
  CHECK_THROWS_MATCHES(root.group("x"), MalformedFile, Message("/x is no group, where one is expected"));
  CHECK_THROWS_MATCHES(root.data_set("a\nb"), MalformedFile, Message("/a?b does not exist"));
}

TEST_CASE("elements that are no numbers are named", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, H5T_VARIABLE);
  make_file(path, [&](hid_t file) { add_data_set(file, text, {2}, nullptr); });
  H5Tclose(text);
  CHECK_THROWS_MATCHES(read_x(path), Unsupported, Message("data set /x holds strings, expected numbers"));
  make_file(path, [&](hid_t file) { add_data_set(file, H5T_STD_REF_OBJ, {2}, nullptr); });
  CHECK_THROWS_MATCHES(read_x(path), Unsupported, Message("data set /x has an element type that no tensor has"));
}

TEST_CASE("damaged compressed data is found when it is read", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const std::vector<float> values = random_floats(4096);
  make_file(path, [&](hid_t file) {
    add_data_set(file, H5T_IEEE_F32LE, {4096}, values.data(), chunks({4096}, [](hid_t p) { H5Pset_fletcher32(p); }));
  });
  std::string content = content_of(path);
  const std::size_t at = content.find(std::string(reinterpret_cast<const char*>(values.data()), 64));
  REQUIRE(at != std::string::npos);
  content[at] ^= 1;
  write_content(path, content);
  const Tensor tensor = read_x(path);
  CHECK_THROWS_WITH(tensor.read(), Contains("reading data set /x: "));
}

TEST_CASE("what is no HDF5 file is refused before the library sees it", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  write_content(path, "");
  CHECK_THROWS_MATCHES(hdf5::open(path), MalformedFile,
                       Message("not an HDF5 file: it does not start with the HDF5 signature"));
  CHECK_THROWS_MATCHES(hdf5::open(folder / "none"), SystemFailure,
                       Message(folder / "none" + ": No such file or directory"));
  make_file(path, [&](hid_t file) { add_data_set(file, H5T_IEEE_F32LE, {1}, nullptr); });
  const std::string content = content_of(path);
  for (std::size_t size = 0; size < content.size(); size += 13) {
    write_content(path, content.substr(0, size));
    REQUIRE_THROWS_AS(hdf5::open(path), MalformedFile);
  }
  write_content(path, content.substr(0, 40));
  CHECK_THROWS_MATCHES(hdf5::open(path), MalformedFile,
                       Message("truncated HDF5 file: it ends inside of its superblock"));
  write_content(path, content.substr(0, 100));
  CHECK_THROWS_MATCHES(hdf5::open(path), MalformedFile,
                       Message("truncated HDF5 file: its superblock states " + std::to_string(content.size()) +
                               " bytes, but there are 100"));
}

TEST_CASE("texts that a damaged heap cannot hold are refused", "[hdf5]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  hdf5::NewFile file(path);
  file.root().set_texts("names", {"the first name", "the second name"});
  file.finish();
  const std::string content = content_of(path);
  const std::size_t heap = content.find("GCOL");
  const std::size_t object = content.find("the second name") - 16;
  REQUIRE(object < content.size());
  const auto damaged = [&](std::size_t at, char value) {
    std::string bytes = content;
    bytes[at] = value;
    write_content(path, bytes);
    return hdf5::open(path).texts("names");
  };
  const std::string place = "the heap collection at offset " + std::to_string(heap);
  CHECK_THROWS_MATCHES(damaged(heap, 'X'), MalformedFile,
                       Message("attribute names of /: no heap collection at offset " + std::to_string(heap)));
  CHECK_THROWS_MATCHES(damaged(heap + 12, 1), MalformedFile,
                       Message("attribute names of /: " + place + " is larger than the file"));
  CHECK_THROWS_MATCHES(damaged(object + 12, 1), MalformedFile,
                       Message("attribute names of /: an object of " + place + " leaves it"));
  CHECK_THROWS_MATCHES(damaged(object, 9), MalformedFile,
                       Message("attribute names of /: no text of 15 bytes in " + place));
  CHECK(damaged(object + 16, 'T')->back() == "The second name");
}

TEST_CASE("a full disk and a missing folder are the system's failures", "[hdf5]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(hdf5::NewFile(folder / "none/a.h5"), SystemFailure);
  hdf5::NewFile file(folder / "a.h5");
  file.root().create_group("a");
  CHECK_THROWS_WITH(file.root().create_group("a"), Contains("writing /a failed: "));
}
