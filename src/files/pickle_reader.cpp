#include "files/pickle_machine.h"

namespace h5bridge::pickle {

const ValueOf<None> Machine::kNone{None{}};
const ValueOf<bool> Machine::kTrue{true};
const ValueOf<bool> Machine::kFalse{false};
const ValueOf<Tuple> Machine::kEmptyTuple{Tuple{}};

namespace {

using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

struct Row {
  unsigned char code;
  Opcode opcode;
};

const std::array<Opcode, 256>& opcodes() {
  static const std::array<Opcode, 256> table = [] {
    using M = Machine;
    const Row rows[] = {
        {0x80, {"PROTO", &M::proto}},
        {0x95, {"FRAME", &M::frame}},
        {'.', {"STOP", &M::stop}},
        {'(', {"MARK", &M::mark}},
        {'0', {"POP", &M::pop_one}},
        {'1', {"POP_MARK", &M::pop_mark}},
        {'2', {"DUP", &M::duplicate}},
        {'N', {"NONE", &M::none}},
        {0x88, {"NEWTRUE", &M::true_value}},
        {0x89, {"NEWFALSE", &M::false_value}},
        {'I', {"INT", &M::text_integer}},
        {'L', {"LONG", &M::text_long}},
        {'J', {"BININT", &M::binary_integer}},
        {'K', {"BININT1", &M::small_integer<U8>}},
        {'M', {"BININT2", &M::small_integer<U16>}},
        {0x8a, {"LONG1", &M::binary_long<U8>}},
        {0x8b, {"LONG4", &M::binary_long<U32>}},
        {'F', {"FLOAT", &M::text_float}},
        {'G', {"BINFLOAT", &M::binary_float}},
        {'V', {"UNICODE", &M::text_unicode}},
        {0x8c, {"SHORT_BINUNICODE", &M::unicode<U8>}},
        {'X', {"BINUNICODE", &M::unicode<U32>}},
        {0x8d, {"BINUNICODE8", &M::unicode<U64>}},
        {'S', {"STRING", &M::text_string}},
        {'U', {"SHORT_BINSTRING", &M::string<U8>}},
        {'T', {"BINSTRING", &M::string<U32>}},
        {'C', {"SHORT_BINBYTES", &M::bytes<U8>}},
        {'B', {"BINBYTES", &M::bytes<U32>}},
        {0x8e, {"BINBYTES8", &M::bytes<U64>}},
        {0x96, {"BYTEARRAY8", &M::bytes<U64>}},
        {')', {"EMPTY_TUPLE", &M::empty_tuple}},
        {']', {"EMPTY_LIST", &M::empty_list}},
        {'}', {"EMPTY_DICT", &M::empty_dict}},
        {0x8f, {"EMPTY_SET", &M::empty_set}},
        {'t', {"TUPLE", &M::tuple}},
        {'l', {"LIST", &M::list}},
        {0x91, {"FROZENSET", &M::frozen_set}},
        {'d', {"DICT", &M::dict}},
        {0x85, {"TUPLE1", &M::short_tuple<1>}},
        {0x86, {"TUPLE2", &M::short_tuple<2>}},
        {0x87, {"TUPLE3", &M::short_tuple<3>}},
        {'a', {"APPEND", &M::append}},
        {'e', {"APPENDS", &M::appends}},
        {0x90, {"ADDITEMS", &M::add_items}},
        {'s', {"SETITEM", &M::set_item}},
        {'u', {"SETITEMS", &M::set_many}},
        {'c', {"GLOBAL", &M::global}},
        {0x93, {"STACK_GLOBAL", &M::stack_global}},
        {'R', {"REDUCE", &M::reduce}},
        {0x81, {"NEWOBJ", &M::new_object}},
        {0x92, {"NEWOBJ_EX", &M::new_object_with_keywords}},
        {'i', {"INST", &M::instance}},
        {'o', {"OBJ", &M::object}},
        {'b', {"BUILD", &M::build}},
        {'P', {"PERSID", &M::text_persistent}},
        {'Q', {"BINPERSID", &M::persistent}},
        {'g', {"GET", &M::text_get}},
        {'h', {"BINGET", &M::get<U8>}},
        {'j', {"LONG_BINGET", &M::get<U32>}},
        {'p', {"PUT", &M::text_put}},
        {'q', {"BINPUT", &M::put<U8>}},
        {'r', {"LONG_BINPUT", &M::put<U32>}},
        {0x94, {"MEMOIZE", &M::memoise}},
        {0x82, {"EXT1", &M::extension}},
        {0x83, {"EXT2", &M::extension}},
        {0x84, {"EXT4", &M::extension}},
        {0x97, {"NEXT_BUFFER", &M::buffer}},
        {0x98, {"READONLY_BUFFER", &M::buffer}},
    };
    std::array<Opcode, 256> result{};
    for (const Row& row : rows) result[row.code] = row.opcode;
    return result;
  }();
  return table;
}

}  // namespace

const Opcode& opcode(std::byte code) { return opcodes()[static_cast<std::size_t>(code)]; }

Document read(std::span<const std::byte> bytes, std::uint64_t file_size) {
  constexpr std::uint64_t kAlways = std::uint64_t{40} << 20;
  const std::uint64_t most = kAlways + 4 * std::max<std::uint64_t>(file_size, bytes.size());
  Document document;
  Machine machine(bytes, document.values_, most - bytes.size());
  document.root_ = machine.run();
  document.size_ = machine.position();
  document.count_ = machine.count();
  document.spare_ = most - machine.held();
  return document;
}

}  // namespace h5bridge::pickle
