// Pictures in files.
#pragma once

#include <string>
#include <vector>

#include "picture/picture.h"

namespace h5bridge {

/// The formats that pictures are written in, by suffix: ".svg", ".png", ".pdf", and Graphviz's own ".dot" and ".gv".
/// Throws UsageError for a path that has none of them.
void check_picture_path(const std::string& path);

/// Whether a path has one of them.
bool is_picture_path(const std::string& path);

/// Writes a picture of a model; its suffix tells the format. All but Graphviz's own are drawn by its program `dot`,
/// which has to be installed. Returns what that has to say. Throws SystemFailure where there is no such program or it
/// fails.
std::vector<std::string> write_picture(const Picture& picture, const std::string& path);

}  // namespace h5bridge
