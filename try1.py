import urllib.request, sys
lost=0
for size in (4.2,8,16,32):
    for i in range(10):
        try:
            urllib.request.urlopen(urllib.request.Request(sys.argv[1]+'/write', data=b'x'*int(size*1e6), headers={'content-type':'application/json'}))
        except urllib.error.HTTPError as e:
            if e.code!=413: lost+=1
            e.read()
        except OSError as e: lost+=1; print(size, i, repr(e))
print('urllib lost', lost)
