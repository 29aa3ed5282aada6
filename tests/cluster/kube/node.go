//go:build node

package main

import (
	"context"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func init() {
	commands["kubelet"] = func() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) }
	commands["proxy"] = func() int { return cli.Run(proxy.NewProxyCommand()) }
	commands["coredns"] = runCoreDNS
}

// runCoreDNS names only the plugins imported above: a directive without its plugin stops the program.
func runCoreDNS() int {
	dnsserver.Directives = []string{"bind", "errors", "health", "cache", "loadbalance", "kubernetes"}
	coremain.Run()
	return 0
}
