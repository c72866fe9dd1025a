module imooc.local/benchmarks/floor

go 1.26
