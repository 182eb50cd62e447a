// What messages quote of a file.
#include "model/quoted.h"

#include <catch2/catch.hpp>

#include "h5bridge/error.h"

namespace h5bridge::testing {

TEST_CASE("a long text is cut between characters") {
  CHECK(shortened("short") == "short");
  CHECK(shortened(std::string(200, 'a')) == std::string(200, 'a'));
  CHECK(shortened(std::string(201, 'a')) == std::string(200, 'a') + "...");
  CHECK(shortened("ab\xc3\xa9", 3) == "ab...");  // the third byte begins an é
  CHECK(shortened("\x80\x80", 1) == "...");
  CHECK(quoted(Json::Array{1, "a"}) == "[1, \"a\"]");
  CHECK(quoted(std::string(1000, 'a')) == '"' + std::string(199, 'a') + "...");
}

TEST_CASE("a message is bounded, however much it lists") {
  const MalformedFile error(std::string(1'000'000, 'a'));
  CHECK(std::string(error.what()) == std::string(10'000, 'a') + "...");
  CHECK_THROWS_WITH(rethrow_in_file(error, "file"), "file: " + std::string(9'994, 'a') + "...");
}

}  // namespace h5bridge::testing
