// Bytes as text.
#include "model/base64.h"

#include <catch2/catch.hpp>

#include "h5bridge/error.h"

namespace h5bridge::testing {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> result;
  for (const char letter : text) result.push_back(static_cast<std::byte>(letter));
  return result;
}

}  // namespace

TEST_CASE("bytes are the text that RFC 4648 has for them") {
  const auto [bytes, text] = GENERATE(table<std::string, std::string>({{"", ""},
                                                                       {"f", "Zg=="},
                                                                       {"fo", "Zm8="},
                                                                       {"foo", "Zm9v"},
                                                                       {"foob", "Zm9vYg=="},
                                                                       {"fooba", "Zm9vYmE="},
                                                                       {"foobar", "Zm9vYmFy"},
                                                                       {"\xfb\xef\xff", "++//"}}));
  CHECK(to_base64(bytes_of(bytes)) == text);
  CHECK(from_base64(text) == bytes_of(bytes));
}

TEST_CASE("text that is no base64 is refused") {
  CHECK_THROWS_WITH(from_base64("Zm9"), "has 3 characters of base64, expected a multiple of 4");
  for (const char* text : {"Zm9-", "Zm 9", "Z===", "====", "Zg==Zg==", "Zm=v"}) {
    INFO(text);
    CHECK_THROWS_AS(from_base64(text), MalformedFile);
    CHECK_THROWS_WITH(from_base64(text), "has a character that is no digit of base64");
  }
  CHECK_THROWS_WITH(from_base64("Zh=="), "has bits behind the last byte of its base64");
  CHECK_THROWS_WITH(from_base64("Zm9="), "has bits behind the last byte of its base64");
}

}  // namespace h5bridge::testing
