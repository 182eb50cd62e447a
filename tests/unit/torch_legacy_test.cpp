// Files of torch.save before PyTorch 1.6, put together by hand; tests/python/test_torch_file.py has torch's own.
#include <catch2/catch.hpp>
#include <functional>

#include "files/little_endian.h"
#include "files/pickle_writer.h"
#include "h5bridge/error.h"
#include "pytorch/file.h"

using namespace h5bridge;
using Catch::Matchers::Contains;

namespace {

const std::string kMagic = "\x80\x02\x8a\nl\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

std::string pickled(const std::function<void(pickle::Writer&)>& compose) {
  pickle::Writer code;
  compose(code);
  return code.finish();
}

void tuple_of(pickle::Writer& code, const std::vector<std::int64_t>& values) {
  code.mark();
  for (const std::int64_t value : values) code.integer(value);
  code.tuple();
}

/// What a hand-made file says; the storage "7" has the bytes 0, 1, 2, ...
struct LegacyFile {
  std::int64_t version = 1001;
  bool little_endian = true;
  std::string storage_class = "ShortStorage";
  std::string key = "7";
  std::int64_t length = 6;                                      // of the storage, as the tensor has it
  std::optional<std::pair<std::int64_t, std::int64_t>> view{};  // offset and length of the part that is meant
  std::vector<std::string> keys{"7"};
  std::int64_t stored = 6;  // as it stands before its bytes
  std::size_t bytes = 12;

  std::string str() const {
    std::string file = kMagic + pickled([&](pickle::Writer& code) { code.integer(version); });
    file += pickled([&](pickle::Writer& code) {
      code.empty_dict();
      code.mark();
      code.text("little_endian");
      code.boolean(little_endian);
      code.set_items();
    });
    file += pickled([&](pickle::Writer& code) { put_state_dict(code); });
    file += pickled([&](pickle::Writer& code) {
      code.empty_list();
      code.mark();
      for (const std::string& item : keys) code.text(item);
      code.append();
    });
    append_little_endian(file, static_cast<std::uint64_t>(stored));
    for (std::size_t i = 0; i < bytes; ++i) file.push_back(static_cast<char>(i));
    return file;
  }

 private:
  void put_state_dict(pickle::Writer& code) const {
    code.empty_dict();
    code.mark();
    code.text("w");
    code.global("torch._utils", "_rebuild_tensor");
    code.mark();
    code.mark();
    code.text("storage");
    code.global("torch", storage_class);
    code.text(key);
    code.text("cuda:0");
    code.integer(length);
    if (view) {
      code.mark();
      code.text("8");
      code.integer(view->first);
      code.integer(view->second);
      code.tuple();
    } else {
      code.none();
    }
    code.tuple();
    code.persistent_id();
    code.integer(1);
    tuple_of(code, {2});
    tuple_of(code, {1});
    code.tuple();
    code.reduce();
    code.set_items();
  }
};

Model read(const std::string& file) {
  const auto bytes = bytes_of(file);
  return read_torch_file(bytes_in_memory({bytes.begin(), bytes.end()}), {});
}

std::vector<std::int16_t> values_of(const LegacyFile& file) {
  return read(file.str()).weights.find("w")->values<std::int16_t>();
}

}  // namespace

TEST_CASE("legacy torch file: tensors, and parts of storages as tensors' storages", "[torch_legacy]") {
  CHECK(values_of({}) == std::vector<std::int16_t>{0x0302, 0x0504});
  LegacyFile part;
  part.view = {2, 3};
  CHECK(values_of(part) == std::vector<std::int16_t>{0x0706, 0x0908});
}

TEST_CASE("legacy torch file: numbers are little-endian whatever machine wrote them", "[torch_legacy]") {
  CHECK(values_of({.little_endian = false}) == std::vector<std::int16_t>{0x0302, 0x0504});
}

TEST_CASE("legacy torch file: what does not fit is refused by name", "[torch_legacy]") {
  const auto refused = [](LegacyFile file, const std::string& words) {
    INFO(words);
    CHECK_THROWS_WITH(read(file.str()), Contains(words));
    CHECK_THROWS_AS(read(file.str()), Error);
  };
  refused({.version = 1000}, "its protocol is 1000, expected 1001");
  refused({.storage_class = "QInt16Storage"}, "elements of torch.QInt16Storage, whose size is not known");
  refused({.storage_class = "QInt8Storage", .stored = 6, .bytes = 6},
          "tensor 'w': its elements are those of torch.QInt8Storage");
  refused({.length = 5}, "has 12 bytes, expected 5 elements of 2");
  refused({.keys = {"9"}}, "no tensor uses the storage 9");
  refused({.keys = {}}, "the storage 7 is not in the file");
  refused({.stored = 7}, "");
  refused({.stored = -1}, "a length of -1");
  refused({.stored = std::int64_t{1} << 62}, "");
  refused({.view = std::pair<std::int64_t, std::int64_t>{4, 3}}, "");
  refused({.view = std::pair<std::int64_t, std::int64_t>{-1, 3}}, "is at -1");
}

TEST_CASE("legacy torch file: a cut one is malformed, a damaged one gives one of our errors", "[torch_legacy]") {
  const std::string good = LegacyFile{}.str();
  for (std::size_t size = kMagic.size(); size < good.size(); ++size)
    CHECK_THROWS_AS(read(good.substr(0, size)), MalformedFile);
  for (std::size_t i = kMagic.size(); i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = good;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      try {
        const Model model = read(damaged);
        for (const auto& [name, tensor] : model.weights) tensor.read();
      } catch (const Error& error) {
        CHECK(error.status() >= ExitStatus::Usage);
      }
    }
}
