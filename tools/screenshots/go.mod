module github.com/org/connect2/v2/tools/screenshots

go 1.26

require github.com/yuin/goldmark v1.8.7
