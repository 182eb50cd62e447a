// Text of Python: literals, names, lines. What black and Python's repr() give was looked up with black 26.10 and Python
// 3.11.
#include <catch2/catch.hpp>
#include <limits>

#include "facets/torch_source/python.h"
#include "pytorch/python_source/format.h"

using namespace h5bridge;

TEST_CASE("strings of Python are plain ASCII, whatever is in them", "[torch_source]") {
  CHECK(python_string("conv1") == R"("conv1")");
  CHECK(python_string("a\"b\\c") == R"("a\"b\\c")");
  CHECK(python_string("it's") == R"("it's")");
  CHECK(python_string("a\nb\tc") == R"("a\nb\x09c")");
  CHECK(python_string("\u00e9") == R"("\xe9")");
  CHECK(python_string("\u4e2d") == R"("\u4e2d")");
  CHECK(python_string("\U0001f600") == R"("\U0001f600")");
  CHECK(python_string("\xff") == R"("\xff")");
}

TEST_CASE("floats are written as repr() writes them", "[torch_source]") {
  CHECK(python_float(1) == "1.0");
  CHECK(python_float(-0.5) == "-0.5");
  CHECK(python_float(1e-5) == "1e-05");
  CHECK(python_float(0.0001) == "0.0001");
  CHECK(python_float(1.5e-7) == "1.5e-07");
  CHECK(python_float(1e16) == "1e+16");
  CHECK(python_float(123456789.25) == "123456789.25");
  CHECK(python_float(1e15) == "1000000000000000.0");
  CHECK(python_float(0.1 + 0.2) == "0.30000000000000004");
  CHECK(python_float32(0.1f) == "0.1");
  CHECK(python_float(std::numeric_limits<double>::infinity()) == "float(\"inf\")");
  CHECK(python_float(-std::numeric_limits<double>::infinity()) == "float(\"-inf\")");
}

TEST_CASE("names that Python or nn.Module keep for themselves are no attributes", "[torch_source]") {
  CHECK(is_attribute_name("conv1"));
  for (const char* name : {"lambda", "1_conv", "a-b", "", "type", "train", "_modules", "__init__", "\u00e9", "a b"})
    CHECK_FALSE(is_attribute_name(name));
  CHECK(variable_name("lambda", "x") == "lambda_");
  CHECK(variable_name("1_conv", "x") == "x_1_conv");
  CHECK(variable_name("a-b", "x") == "a_b");
  CHECK(variable_name("\"; import os", "x") == "x____import_os");  // a letter, and "_" for each sign
  CHECK(class_name("conv_block", "Block") == "ConvBlock");
  CHECK(class_name("3d", "Block") == "Block3d");
  CHECK(plain_text("a\"\"\"b\\\n") == "a___b__");
}

TEST_CASE("long lines are opened at their last bracket, as black does", "[torch_source]") {
  using torch_source::laid_out;
  CHECK(laid_out("x = self.conv(x)", 8) == std::vector<std::string>{"        x = self.conv(x)"});
  const std::string call =
      "self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)";
  CHECK(laid_out(call, 8) == std::vector<std::string>{"        self.conv = nn.Conv2d(", "            in_channels,",
                                                      "            out_channels,", "            kernel_size=3,",
                                                      "            stride=stride,", "            padding=1,",
                                                      "            bias=False,", "        )"});
  const std::string chain =
      "nn.Sequential(nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), \"a, b\")";
  CHECK(laid_out(chain, 0) ==
        std::vector<std::string>{
            "nn.Sequential(", "    nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), \"a, b\"",
            ")"});
}
